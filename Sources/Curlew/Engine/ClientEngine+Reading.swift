import CoreMetrics
import CurlewCore
import Logging
import NIOCore
import Synchronization

// The events of a connection: it opens, receives packets and ends.
extension ClientEngine: ConnectionOwner {
    func opened(_ connection: ClientConnection, _ connack: ConnAck, to connect: Connect, now: Timestamp) -> Bool? {
        let server = "\(connection.server)"
        var mustWatchUnclaimed = false
        let (result, deadline): (ClientSession.Connected, Timestamp?) = self.state.withLock { state in
            state.output.opens()
            let result = state.session.connected(
                connack, to: connect, server: server, now: now, into: &state.output.bytes)
            guard result != .protocolError else { return (result, nil) }
            let bound = NIOLoopBound(connection, eventLoop: connection.link.eventLoop)
            state.connection.opened(bound, applicationProtocol: connection.link.applicationProtocol)
            // The connection flushes subscriptions and messages from the outbox at the end of the handshake.
            state.output.opened { bound.value.flush() }
            state.receivers.unclaimed.connected(
                isResumed: result == .resumed, at: now, isOrphan: state.session.isOrphan)
            mustWatchUnclaimed = state.receivers.mustWatchUnclaimed
            state.life.connectionError = nil
            if state.life.lifecycle.accepted() { state.tally.statistics.reconnections += 1 }
            // The server may assign an identifier to a client without one, but not replace one.
            if connect.clientIdentifier.isEmpty, let assigned = state.session.limits?.assignedClientIdentifier {
                state.life.clientIdentifier = assigned
            }
            return (result, state.session.poisonDeadline)
        }
        self.resumeCompleted()
        if let deadline { self.watchPoison(on: connection, until: deadline, now) }
        if mustWatchUnclaimed { self.watchUnclaimed() }
        return switch result {
        case .resumed: true
        case .fresh: false
        case .protocolError: nil
        }
    }

    /// Schedules the next deadline of the session's ``PoisonDetector`` on this connection.
    private func watchPoison(on connection: ClientConnection, until end: Timestamp, _ now: Timestamp) {
        let loop = connection.link.eventLoop
        let bound = NIOLoopBound(connection, eventLoop: loop)
        self.deadlines.schedule(after: end - now) { [weak self] in
            guard let self else { return }
            loop.execute { self.poisonDeadlineReached(bound.value, end) }
        }
    }

    private func poisonDeadlineReached(_ connection: ClientConnection, _ end: Timestamp) {
        let now = max(end, self.clock.now())
        let (flush, next): ((@Sendable () -> Void)?, Timestamp?) = self.state.withLock { state in
            guard state.connection.isCurrent(connection) else { return (nil, nil) }
            state.session.poisonDeadlineReached(now: now, into: &state.output.bytes)
            return (state.output.claimFlush(), state.session.poisonDeadline)
        }
        self.resumeCompleted()
        flush?()
        if let next { self.watchPoison(on: connection, until: next, now) }
    }

    func lost(_ connection: ClientConnection, _ end: ClientSession.ConnectionEnd) {
        let now = self.clock.now()
        self.state.withLock { state in
            guard state.connection.isCurrent(connection) else { return }
            state.connection.lost()
            state.life.lifecycle.lost()
            state.session.connectionLost(end, now: now)
            state.receivers.unclaimed.connectionLost()
            state.output.lost()
        }
        self.resumeCompleted()
        self.reauthenticated(MQTTError(.connectionClosed, "The connection ended during the authentication."))
    }

    func process(
        _ packets: inout [Packet], from next: inout Int, _ now: Timestamp, into batch: inout DeliveryBatch
    ) -> ConnectionEvent? {
        var event: ConnectionEvent?
        var index = next
        var mustWatch = false
        var hasUnclaimed = false
        var received = 0
        var deviations: [ClientSession.Deviation] = []
        let (resumptions, lost, givenUp) = self.state.withLock { state in
            let before = state.output.byteCount
            while index < packets.count, event == nil {
                // Move it: a copy would retain and release topic, payload and properties.
                let packet = exchange(&packets[index], with: .pingreq)
                index += 1
                switch state.session.received(consume packet, now: now, into: &state.output.bytes) {
                case .nothing, .pong: break
                case .message(let publish, let subscribers, let token):
                    received += 1
                    guard !subscribers.isEmpty else {
                        state.hold(consume publish, token, now)
                        break
                    }
                    batch.add(consume publish, to: subscribers, token, receivers: state.receivers.active)
                case .authenticate(let auth): event = .authenticate(auth)
                case .disconnected(let packet): event = .disconnected(packet)
                case .deviation(let deviation):
                    state.tally.statistics.protocolDeviations += 1
                    if state.connection.note(deviation) { deviations.append(deviation) }
                case .violation(let code, let message): event = .violation(code, message)
                }
            }
            state.output.countAnswers(since: before)
            state.output.flushesAfterRead()
            if !state.receivers.isWatched, state.session.unacknowledgedCount > 0 {
                state.receivers.isWatched = true
                mustWatch = true
            }
            state.tally.statistics.messagesReceived += received
            hasUnclaimed = state.receivers.mustWatchUnclaimed
            return (state.takeResumptions(now), state.takeLostReceivers(), state.session.takeGivenUpPackets())
        }
        next = index
        self.resume(resumptions)
        self.fail(lost)
        self.tell(givenUp)
        for deviation in deviations { self.tell(deviation) }
        if mustWatch { self.watchAcknowledgements() }
        if hasUnclaimed { self.watchUnclaimed() }
        if received > 0 { self.meters.received.increment(by: received) }
        return event
    }

    /// Resumes the calls whose requests were completed by something other than a read, and reports failures.
    func resumeCompleted() {
        let (resumptions, lost, givenUp) = self.state.withLock { state in
            (state.takeResumptions(), state.takeLostReceivers(), state.session.takeGivenUpPackets())
        }
        self.resume(resumptions)
        self.fail(lost)
        self.tell(givenUp)
    }

    private func tell(_ deviation: ClientSession.Deviation) {
        self.logger.warning("the server violates the protocol harmlessly: \(deviation.summary)")
        self.events.post(.protocolDeviation("The server violates the protocol: \(deviation.summary)."))
    }

    private func tell(_ givenUp: [Rejection]) {
        for rejection in givenUp {
            let error = MQTTError(rejection)
            self.logger.warning("packet given up", metadata: ["error": "\(error)"])
            self.events.post(.packetAbandoned(error))
        }
    }

    private func fail(_ lost: [LostReceiver]) {
        for lost in lost {
            let filters = lost.receiver.filters
            var code: ReasonCode?
            if case .subscribed(let reasonCode, _) = lost.outcome { code = reasonCode }
            let reason = code.map { "\($0)" } ?? "limits"
            self.logger.warning("subscription lost", metadata: ["filters": "\(filters)", "reason": "\(reason)"])
            // The next request creates a new inbox.
            if let inbox = lost.receiver as? ReplyInbox { self.state.withLock { $0.receivers.remove(inbox) } }
            if case .abandoned(let rejection) = lost.outcome {
                lost.receiver.finish(MQTTError(rejection))
            } else {
                lost.receiver.finish(
                    MQTTError(
                        .subscriptionRefused, "The server lost the session and now refuses the subscription.",
                        reasonCode: code))
            }
            self.events.post(.subscriptionLost(filters: filters, code))
        }
    }
}

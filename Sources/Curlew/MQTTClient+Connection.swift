import CoreMetrics
import CurlewCore
import Logging
import NIOCore
import Synchronization

// What the connection and the rest of the client have to say to each other.
extension MQTTClient {
    /// What in a read concerns the connection itself.
    enum ConnectionEvent {
        case authenticate(Auth)
        case disconnected(Disconnect)
        case violation(ReasonCode, String)
    }

    /// CONNACK came with success. Returns whether the session was resumed; `nil` when the server breaks the protocol.
    func connected(_ connection: ClientConnection, _ connack: ConnAck, to connect: Connect, now: Timestamp) -> Bool? {
        let server = "\(connection.server)"
        var mustWatchUnclaimed = false
        let (result, deadline): (ClientSession.Connected, Timestamp?) = self.shared.withLock { shared in
            shared.out.clear()
            shared.deviations = []
            shared.isFlushScheduled = false
            let result = shared.session.connected(
                connack, to: connect, server: server, now: now, into: &shared.out)
            guard result != .protocolError else { return (result, nil) }
            // The connection flushes when the handshake is over: subscriptions, and what waited in the outbox.
            shared.isFlushScheduled = shared.out.readableBytes > 0
            let bound = NIOLoopBound(connection, eventLoop: connection.link.eventLoop)
            shared.connection = bound
            shared.unclaimed.connected(
                isResumed: result == .resumed, at: now, isOrphan: shared.session.isOrphan)
            mustWatchUnclaimed = shared.mustWatchUnclaimed
            shared.flush = { bound.value.flush() }
            if shared.lifecycle.accepted() { shared.statistics.reconnects += 1 }
            // A server may give a name to a client that has none, not another name to one that has.
            if connect.clientIdentifier.isEmpty, let assigned = shared.session.limits?.assignedClientIdentifier {
                shared.clientIdentifier = assigned
            }
            return (result, shared.session.poisonDeadline)
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

    /// Looks whether the connection has outlived those that a packet seems to have ended.
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
        let (flush, next): ((@Sendable () -> Void)?, Timestamp?) = self.shared.withLock { shared in
            guard shared.connection?.value === connection else { return (nil, nil) }
            shared.session.poisonDeadlineReached(now: now, into: &shared.out)
            return (shared.claimFlush(), shared.session.poisonDeadline)
        }
        self.resumeCompleted()
        flush?()
        if let next { self.watchPoison(on: connection, until: next, now) }
    }

    /// The connection must not be used any more.
    func connectionLost(_ connection: ClientConnection, _ end: ClientSession.ConnectionEnd) {
        let now = self.clock.now()
        self.shared.withLock { shared in
            guard shared.connection?.value === connection else { return }
            shared.connection = nil
            shared.flush = nil
            shared.lifecycle.lost()
            shared.session.connectionLost(end, now: now)
            shared.unclaimed.connectionLost()
            shared.out = ByteBuffer()
            shared.answers = 0
            shared.isFlushScheduled = false
        }
        self.resumeCompleted()
        self.reauthenticated(MQTTError(.connectionClosed, "The connection ended during the authentication."))
    }

    /// Takes the packets of one read to the session. Stops after the first that concerns the connection itself, and moves
    /// `next` to those behind it. Those that were taken leave nothing of theirs in the array.
    func process(
        _ packets: inout [Packet], from next: inout Int, _ now: Timestamp, into batch: inout DeliveryBatch
    ) -> ConnectionEvent? {
        var event: ConnectionEvent?
        var index = next
        var mustWatch = false
        var hasUnclaimed = false
        var received = 0
        var deviations: [ClientSession.Deviation] = []
        let (resumptions, lost, givenUp) = self.shared.withLock { shared in
            let before = shared.out.readableBytes
            while index < packets.count, event == nil {
                // Moved, not copied: a copy counts references to topic, payload and properties up and down again.
                let packet = exchange(&packets[index], with: .pingreq)
                index += 1
                switch shared.session.received(consume packet, now: now, into: &shared.out) {
                case .nothing, .pong: break
                case .deliver(let publish, let subscribers, let token):
                    received += 1
                    guard !subscribers.isEmpty else {
                        shared.hold(consume publish, token, now)
                        break
                    }
                    batch.add(consume publish, to: subscribers, token, receivers: shared.receivers)
                case .authenticate(let auth): event = .authenticate(auth)
                case .disconnected(let packet): event = .disconnected(packet)
                case .deviation(let deviation):
                    shared.statistics.deviations += 1
                    if shared.deviations.insert(deviation).inserted { deviations.append(deviation) }
                case .violation(let code, let message): event = .violation(code, message)
                }
            }
            shared.countAnswers(since: before, highWaterMark: self.configuration.queues.unsentBytes)
            if !shared.isWatchingAcknowledgements, shared.session.unacknowledgedCount > 0 {
                shared.isWatchingAcknowledgements = true
                mustWatch = true
            }
            shared.statistics.received += received
            hasUnclaimed = shared.mustWatchUnclaimed
            // The connection flushes by itself when the read is over.
            if shared.out.readableBytes > 0 { shared.isFlushScheduled = true }
            return (shared.takeResumptions(now), shared.takeLostReceivers(), shared.session.takeGivenUpPackets())
        }
        next = index
        resumptions.resume()
        self.fail(lost)
        self.tell(givenUp)
        for deviation in deviations { self.tell(deviation) }
        if mustWatch { self.watchAcknowledgements() }
        if hasUnclaimed { self.watchUnclaimed() }
        if received > 0 { self.meters.received.increment(by: received) }
        return event
    }

    /// Resumes those whose requests have been completed by something else than a read.
    func resumeCompleted() {
        let (resumptions, lost, givenUp) = self.shared.withLock { shared in
            (shared.takeResumptions(nil), shared.takeLostReceivers(), shared.session.takeGivenUpPackets())
        }
        resumptions.resume()
        self.fail(lost)
        self.tell(givenUp)
    }

    private func tell(_ deviation: ClientSession.Deviation) {
        self.logger.warning("the server breaks the protocol without harm: \(deviation.summary)")
        self.eventHub.post(.protocolDeviation("The server breaks the protocol: \(deviation.summary)."))
    }

    private func tell(_ givenUp: [Rejection]) {
        for rejection in givenUp {
            let error = MQTTError(rejection)
            self.logger.warning("packet given up", metadata: ["error": "\(error)"])
            self.eventHub.post(.packetGivenUp(error))
        }
    }

    private func fail(_ lost: [LostReceiver]) {
        for lost in lost {
            let filters = lost.receiver.filters
            var code: ReasonCode?
            if case .subscribed(let reasonCode, _) = lost.outcome { code = reasonCode }
            let reason = code.map { "\($0)" } ?? "limits"
            self.logger.warning("subscription lost", metadata: ["filters": "\(filters)", "reason": "\(reason)"])
            // The next request makes another inbox.
            if let inbox = lost.receiver as? ReplyInbox { self.remove(inbox) }
            if case .abandoned(let rejection) = lost.outcome {
                lost.receiver.finish(MQTTError(rejection))
            } else {
                lost.receiver.finish(
                    MQTTError(
                        .subscriptionRefused, "The server had lost the session, and refuses the subscription now.",
                        reasonCode: code))
            }
            self.eventHub.post(.subscriptionLost(filters: filters, code))
        }
    }

    // MARK: Writing

    /// Whether as much waits to be written that the server made us answer as publishes may make wait.
    var hasManyAnswers: Bool { self.shared.withLock { $0.answers > self.configuration.queues.unsentBytes } }

    /// A read is over: writes what it led to.
    func flushIfNeeded(_ connection: ClientConnection) {
        let isNeeded = self.shared.withLock { $0.isFlushScheduled }
        if isNeeded { connection.flush() }
    }

    /// What is to be written, in exchange for a buffer that is not needed any more; `nil` if there is nothing. Afterwards
    /// more may be sent.
    func takeOutgoing(replacement: inout ByteBuffer) -> ByteBuffer? {
        let now = self.clock.now()
        var published = 0
        let (bytes, resumptions) = self.shared.withLock { shared in
            guard shared.out.readableBytes > 0 else {
                shared.isFlushScheduled = false
                return (ByteBuffer?.none, shared.takeResumptions(nil))
            }
            published = shared.statistics.published - shared.published
            shared.published = shared.statistics.published
            // Not before: it is allocated anew where the link holds it still. And moved: to be written to, it must be the
            // only one.
            var empty = exchange(&replacement, with: ByteBuffer())
            empty.clear()
            let bytes = exchange(&shared.out, with: consume empty)
            shared.answers = 0
            // What waited for room in the buffer follows at once; while it does, nobody need ask for another flush.
            shared.session.pump(now: now, into: &shared.out)
            shared.isFlushScheduled = shared.out.readableBytes > 0
            return (bytes, shared.takeResumptions(nil))
        }
        resumptions.resume()
        if published > 0 { self.meters.published.increment(by: published) }
        return bytes
    }

    /// What is left to be written before the connection is closed. Nothing follows it.
    func takeLastOutgoing() -> ByteBuffer {
        self.shared.withLock { exchange(&$0.out, with: ByteBuffer()) }
    }

    // MARK: Acknowledging

    /// A consumer has passed a message.
    func passed(_ token: DeliveryToken, reasonCode: ReasonCode = .success) {
        let flush = self.shared.withLock { shared in
            let before = shared.out.readableBytes
            shared.session.passed(token, reasonCode: reasonCode, into: &shared.out)
            shared.countAnswers(since: before, highWaterMark: self.configuration.queues.unsentBytes)
            return shared.claimFlush()
        }
        if let flush { self.eventLoop.execute(flush) }
    }

    /// These messages need not be looked at to be acknowledged.
    func passed(_ tokens: [DeliveryToken]) {
        guard !tokens.isEmpty else { return }
        let flush = self.shared.withLock { shared in
            let before = shared.out.readableBytes
            for token in tokens { shared.session.passed(token, into: &shared.out) }
            shared.countAnswers(since: before, highWaterMark: self.configuration.queues.unsentBytes)
            return shared.claimFlush()
        }
        if let flush { self.eventLoop.execute(flush) }
    }

    /// Looks once in a while whether a consumer holds the same message as the last time, for as long as any is unacknowledged.
    private func watchAcknowledgements(_ before: [SubscriberID: (message: MQTTMessage, age: Duration)] = [:]) {
        guard let period = self.configuration.acknowledgement.stuckWarning else { return }
        self.deadlines.schedule(after: period) { [weak self] in
            guard let self else { return }
            let receivers: [SubscriberID: any MessageReceiver] = self.shared.withLock { shared in
                shared.isWatchingAcknowledgements = shared.session.unacknowledgedCount > 0
                guard shared.isWatchingAcknowledgements else { return [:] }
                return shared.receivers.merging(shared.endedReceivers) { receiver, _ in receiver }
            }
            guard !receivers.isEmpty else { return }
            var now: [SubscriberID: (message: MQTTMessage, age: Duration)] = [:]
            for (id, receiver) in receivers {
                guard let message = receiver.handedOut else { continue }
                let age = before[id].flatMap { $0.message.isSame(as: message) ? $0.age + period : nil }
                now[id] = (message, age ?? .zero)
                guard let age else { continue }
                self.logger.warning(
                    "acknowledgement stuck", metadata: ["topic": "\(message.topic)", "age": "\(age)"])
                self.eventHub.post(.acknowledgementStuck(topic: message.topic, age: age))
            }
            self.watchAcknowledgements(now)
        }
    }

    /// The queue of a subscription has dropped messages.
    func noteDropped(_ count: Int, by buffer: SubscriptionBuffer) {
        self.shared.withLock { $0.statistics.dropped += count }
        self.meters.dropped.increment(by: count)
        self.eventHub.post(.messagesDropped(filters: buffer.filters, count: count))
    }
}

/// A subscriber that has lost its filter.
struct LostReceiver {
    let receiver: any MessageReceiver
    let outcome: Completion.Outcome
}

extension MQTTClient.Shared {
    /// The session has written something that answers the server. Beyond the high-water mark it adds no publish.
    mutating func countAnswers(since before: Int, highWaterMark: Int) {
        if before >= highWaterMark { self.answers += self.out.readableBytes - before }
    }

    mutating func takeLostReceivers() -> [LostReceiver] {
        self.session.takeLostSubscribers().flatMap { lost in
            lost.subscribers.compactMap { id in
                self.receivers[id].map { LostReceiver(receiver: $0, outcome: lost.outcome) }
            }
        }
    }
}

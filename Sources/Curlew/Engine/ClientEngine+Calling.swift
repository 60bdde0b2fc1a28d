import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

// Calls methods of devices.
extension ClientEngine {
    /// Calls a device and decodes its answer.
    nonisolated(nonsending) func call<Answer: Decodable & Sendable>(
        _ inquiry: MQTTDialect.Inquiry, _ dialect: MQTTDialect, as type: Answer.Type, within limit: Duration
    ) async -> MQTTCallResult<Answer> {
        let begun = self.clock.now()
        let answer = await self.answer(to: inquiry, dialect, begun, within: limit)
        return self.result(of: inquiry, dialect, answer, since: begun)
    }

    /// Calls a device from a thread that blocks until the answer has arrived, and decodes it there.
    func callBlocking<Answer: Decodable & Sendable>(
        _ inquiry: MQTTDialect.Inquiry, _ dialect: MQTTDialect, as type: Answer.Type, within limit: Duration
    ) throws(MQTTError) -> MQTTCallResult<Answer> {
        let begun = self.clock.now()
        let answer = try self.blockThread { await self.answer(to: inquiry, dialect, begun, within: limit) }
        return self.result(of: inquiry, dialect, answer, since: begun)
    }

    private func result<Answer: Decodable & Sendable>(
        of inquiry: MQTTDialect.Inquiry, _ dialect: MQTTDialect, _ answer: Result<MQTTMessage, MQTTError>,
        since begun: Timestamp
    ) -> MQTTCallResult<Answer> {
        let (outcome, reply): (MQTTCallOutcome<Answer>, MQTTMessage?) =
            switch answer {
            case .success(let message):
                (dialect.outcome(of: message, to: inquiry, coder: self.configuration.payloadCoder), message)
            case .failure(let error): (Self.outcome(of: error, inquiry), nil)
            }
        return MQTTCallResult(
            device: inquiry.device, method: inquiry.method, outcome: outcome, duration: self.clock.now() - begun,
            reply: reply)
    }

    /// Sends a request and waits for its answer. Sends it again, signed, if the device refused the signature.
    private nonisolated(nonsending) func answer(
        to inquiry: MQTTDialect.Inquiry, _ dialect: MQTTDialect, _ begun: Timestamp, within limit: Duration
    ) async -> Result<MQTTMessage, MQTTError> {
        let end = begun + limit
        do throws(MQTTError) {
            let message = try await self.reply(to: inquiry, dialect, begun, before: end)
            guard let signer = dialect.signer,
                case .deviceError(let error) = dialect.outcome(
                    of: message, to: inquiry, coder: MQTTJSONCoder()) as MQTTCallOutcome<NoValue>,
                signer.refused(by: inquiry.device, error)
            else { return .success(message) }
            return .success(try await self.reply(to: inquiry, dialect, self.clock.now(), before: end))
        } catch {
            return .failure(error)
        }
    }

    /// Classifies the error that ended a call without an answer.
    private static func outcome<Answer>(
        of error: MQTTError, _ inquiry: MQTTDialect.Inquiry
    ) -> MQTTCallOutcome<Answer> {
        switch error.code {
        case .noMatchingSubscribers: .noResponder
        case .cancelled: .cancelled(error)
        case _ where error.delivery == .notSent: .notSent(error)
        case .timedOut: .timedOut
        // A reply that exceeds a limit, as a request that does would be `notSent`.
        case .packetTooLarge, .decodingFailed: .badReply(error)
        // The client was disconnected, lost the subscription to the answers, or gave up the request.
        default: .cancelled(error)
        }
    }

    /// Sends a request and waits for its answer.
    private nonisolated(nonsending) func reply(
        to inquiry: MQTTDialect.Inquiry, _ dialect: MQTTDialect, _ now: Timestamp, before end: Timestamp
    ) async throws(MQTTError) -> MQTTMessage {
        guard now < end else {
            throw MQTTError(
                .timedOut, "The time for calling \(inquiry.device) was over before the call could be sent.",
                delivery: .notSent)
        }
        let source = self.source(dialect)
        try Self.check(inquiry, source: source)
        let name = dialect.inboxName(of: inquiry.device, source)
        if !dialect.isSerial, let inbox = try self.readyInbox(name, needsProperties: dialect.needsProperties) {
            return try await self.exchange(inquiry, dialect, inbox, now, before: end)
        }
        if dialect.needsProperties { try self.requireProperties(dialect) }
        let inbox: ReplyInbox
        do throws(MQTTError) {
            inbox = try await self.inbox(name, dialect, inquiry.device, source, end - now)
        } catch {
            throw error.with(delivery: .notSent)
        }
        if dialect.needsProperties { try self.requireProperties(dialect) }
        guard dialect.isSerial else {
            return try await self.exchange(inquiry, dialect, inbox, self.clock.now(), before: end)
        }
        return try await self.exchangeInTurn(inquiry, dialect, inbox, before: end)
    }

    /// The inbox for answers, if the call can be sent at once.
    ///
    /// - Throws: ``MQTTError`` if the client has stopped.
    private func readyInbox(_ name: ReplyInbox.Name, needsProperties: Bool) throws(MQTTError) -> ReplyInbox? {
        let (refusal, inbox) = self.state.withLock { state in
            let isFit = !needsProperties || state.session.version == .v5_0
            return (state.life.refusal, isFit ? state.receivers.inbox(named: name) : nil)
        }
        if let refusal { throw refusal.with(delivery: .notSent) }
        guard let inbox, case .some(.none) = inbox.subscribed.value else { return nil }
        return inbox
    }

    /// Waits for earlier calls to a device that handles one at a time.
    private nonisolated(nonsending) func exchangeInTurn(
        _ inquiry: MQTTDialect.Inquiry, _ dialect: MQTTDialect, _ inbox: ReplyInbox, before end: Timestamp
    ) async throws(MQTTError) -> MQTTMessage {
        let place = CallTurnTable.Place(inbox: inbox.id, device: inquiry.device)
        let turn: CallTurns.Turn
        switch await self.turns.enter(
            place, limit: dialect.waitingCalls, within: end - self.clock.now(), by: self.deadlines)
        {
        case .begun(let begun): turn = begun
        case .full:
            throw MQTTError(
                .queueFull,
                "\(dialect.waitingCalls) calls to \(inquiry.device) are already waiting, which handles one at a time.",
                delivery: .notSent)
        case .timedOut:
            throw MQTTError(
                .timedOut, "Earlier calls to \(inquiry.device), which handles one at a time, took too long.",
                delivery: .notSent)
        case .cancelled: throw MQTTError(.cancelled, "The task was cancelled.", delivery: .notSent)
        }
        do throws(MQTTError) {
            let reply = try await self.exchange(inquiry, dialect, inbox, self.clock.now(), before: end)
            self.turns.leave(turn)
            return reply
        } catch {
            // Nothing tells a late answer apart from that of the next call, so the next one waits for a while.
            if error.delivery == .notSent || error.code == .noMatchingSubscribers {
                self.turns.leave(turn)
            } else {
                self.deadlines.schedule(after: Self.lateAnswerTime) { self.turns.leave(turn) }
            }
            throw error
        }
    }

    /// How long a device that handles one call at a time may answer after the caller has given up.
    private static let lateAnswerTime = Duration.seconds(2)

    private nonisolated(nonsending) func exchange(
        _ inquiry: MQTTDialect.Inquiry, _ dialect: MQTTDialect, _ inbox: ReplyInbox, _ now: Timestamp,
        before end: Timestamp
    ) async throws(MQTTError) -> MQTTMessage {
        let id = dialect.usesResponseTopic ? nil : CallID(random: dialect.identifiers)
        let request = try dialect.encode(
            inquiry, id: id, source: self.source(dialect), coder: self.configuration.payloadCoder,
            signature: dialect.signer?.signature(for: inquiry.device))
        var properties = request.properties
        var key = ReplyKey.text(id?.text ?? inquiry.device)
        if dialect.usesResponseTopic {
            let correlation = ReplyKey.makeCorrelation()
            key = correlation.key
            properties.responseTopic = inbox.filters[0].string
            properties.correlationData = correlation.data
        }
        // A device must not act on a call whose caller does not wait for the answer.
        if Task.isCancelled { throw MQTTError(.cancelled, "The task was cancelled.", delivery: .notSent) }
        guard now < end else {
            throw MQTTError(.timedOut, "The time for calling \(inquiry.device) was over.", delivery: .notSent)
        }
        properties.messageExpiryInterval = UInt32(clamping: max(1, (end - now).roundedUpSeconds))
        let message = try self.makeMessage(request.payload, request.topic, dialect.qos, false, properties)
        let target = SingleReply()
        var accepts: (@Sendable (MQTTMessage) -> Bool)?
        if dialect.mustCheckAnswers { accepts = { dialect.isAnswer($0, to: inquiry) } }
        guard
            let registration = try inbox.register(
                target, for: key, limit: self.configuration.limits.waitingRequests, accepting: accepts)
        else { return try await self.reply(to: inquiry, dialect, self.clock.now(), before: end) }
        defer {
            inbox.forget(registration)
            if dialect.answer.namesDevice { self.retireLater(inbox) }
        }
        let published = try self.send(message, for: target)
        let deadline = self.deadlines.schedule(at: end) {
            if let published { self.giveUp(published) { wasQueued in .timedOut(wasQueued: wasQueued) } }
            target.finish(nil)
        }
        defer {
            self.deadlines.cancel(deadline)
            // If no answer is wanted any more, do not send a request that still waits.
            if let published { self.giveUp(published) { wasQueued in .cancelled(wasQueued: wasQueued) } }
        }
        guard let reply = try await target.wait() else {
            throw MQTTError(.timedOut, "\(inquiry.device) did not answer in time.", delivery: .unknown)
        }
        return reply
    }

    /// Ends the subscription to the answers of a single device when nobody has called it for a while.
    private func retireLater(_ inbox: ReplyInbox) {
        guard inbox.mustRetireLater() else { return }
        self.scheduleRetirement(of: inbox)
    }

    private func scheduleRetirement(of inbox: ReplyInbox) {
        self.deadlines.schedule(after: Self.idleInboxTime) { [weak self] in
            guard let self else { return }
            switch inbox.retire() {
            case .keep: self.scheduleRetirement(of: inbox)
            case .end:
                self.state.withLock { $0.receivers.drop(inbox) }
                self.endSubscription(inbox.id)
            }
        }
    }

    /// How long the subscription to the answers of a single device is kept without calls.
    private static let idleInboxTime = Duration.seconds(60)

    private static func check(_ inquiry: MQTTDialect.Inquiry, source: String) throws(MQTTError) {
        for (name, kind) in [(inquiry.device, "device"), (inquiry.method, "method"), (source, "caller")] {
            if name.isEmpty {
                throw MQTTError(.invalidArgument, "The name of the \(kind) is empty.", delivery: .notSent)
            }
            if name.utf8.contains(where: { "+#".utf8.contains($0) || $0 == 0 }) {
                throw MQTTError(
                    .invalidTopic,
                    "The name of the \(kind), \"\(name)\", contains + or #: a call has one device and one method.",
                    delivery: .notSent)
            }
        }
    }

    private func requireProperties(_ dialect: MQTTDialect) throws(MQTTError) {
        let version = self.protocolVersion ?? self.configuration.connection.version.exact ?? .v5_0
        guard version < .v5_0 else { return }
        throw MQTTError(
            .notSupportedByProtocolVersion,
            "The dialect \(dialect.name) needs MQTT 5.0; this connection has an older version.", delivery: .notSent)
    }

    // MARK: Answers

    /// The name of this caller.
    private func source(_ dialect: MQTTDialect) -> String { dialect.source ?? self.callerName }

    /// The inbox for the answers of a device.
    private nonisolated(nonsending) func inbox(
        _ name: ReplyInbox.Name, _ dialect: MQTTDialect, _ device: String, _ source: String, _ limit: Duration
    ) async throws(MQTTError) -> ReplyInbox {
        if dialect.usesResponseTopic { return try await self.responseInbox(limit) }
        let filters = try Self.parse(dialect.answerFilters(device, source: source))
        let levels = MQTTDialect.levels(of: device)
        return try await self.inbox(named: name, limit) { _ in
            ReplyInbox.Plan(
                name: name, filters: filters, key: { dialect.key(of: $0, deviceLevels: levels).map { .text($0) } },
                isPrivate: dialect.answersArePrivate, readsPayload: dialect.answersNameCallInPayload)
        }
    }
}

extension MQTTDialect {
    /// Whether answers arrive on a response topic of MQTT 5.0.
    var usesResponseTopic: Bool { self.request.source == .responseTopic }

    /// The name of the inbox for the answers of a device.
    fileprivate func inboxName(of device: String, _ source: String) -> ReplyInbox.Name {
        if self.usesResponseTopic { return .responses }
        return .answers(
            self.answer, source: source, device: self.answer.namesDevice ? device : nil,
            levels: MQTTDialect.levels(of: device))
    }

    /// Whether only answers to this caller arrive on the topics of the answers.
    fileprivate var answersArePrivate: Bool { self.answer.allTopics.allSatisfy { $0.slots.contains(.source) } }

    /// Whether the payload of an answer tells which call it belongs to.
    fileprivate var answersNameCallInPayload: Bool { self.answer.id != nil || self.matching != .identifier }
}

extension Duration {
    /// Whole seconds, rounded up.
    fileprivate var roundedUpSeconds: Int64 {
        self.components.seconds + (self.components.attoseconds > 0 ? 1 : 0)
    }
}

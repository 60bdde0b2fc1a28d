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
        let end = begun + limit
        var reply: MQTTMessage?
        let outcome: MQTTCallOutcome<Answer>
        do throws(MQTTError) {
            let coder = self.configuration.payloadCoder
            var message = try await self.reply(to: inquiry, dialect, before: end)
            var decoded = dialect.outcome(of: message, to: inquiry, as: type, coder: coder)
            if case .deviceError(let error) = decoded, let signer = dialect.signer,
                signer.refused(by: inquiry.device, error)
            {
                message = try await self.reply(to: inquiry, dialect, before: end)
                decoded = dialect.outcome(of: message, to: inquiry, as: type, coder: coder)
            }
            reply = message
            outcome = decoded
        } catch {
            outcome = Self.outcome(of: error, inquiry)
        }
        return MQTTCallResult(
            device: inquiry.device, method: inquiry.method, outcome: outcome, duration: self.clock.now() - begun,
            reply: reply)
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
        to inquiry: MQTTDialect.Inquiry, _ dialect: MQTTDialect, before end: Timestamp
    ) async throws(MQTTError) -> MQTTMessage {
        guard self.clock.now() < end else {
            throw MQTTError(
                .timedOut, "The time for calling \(inquiry.device) was over before the call could be sent.",
                delivery: .notSent)
        }
        if let refusal = self.state.withLock({ $0.life.refusal }) { throw refusal.with(delivery: .notSent) }
        if dialect.needsProperties { try self.requireProperties(dialect) }
        try Self.check(inquiry, source: self.source(dialect))
        let inbox: ReplyInbox
        do throws(MQTTError) {
            inbox = try await self.inbox(for: dialect, inquiry.device, end - self.clock.now())
        } catch {
            throw error.with(delivery: .notSent)
        }
        if dialect.needsProperties { try self.requireProperties(dialect) }
        guard dialect.isSerial else { return try await self.exchange(inquiry, dialect, inbox, before: end) }
        let place = CallTurnTable.Place(inbox: inbox.id, device: inquiry.device)
        switch await self.turns.enter(
            place, limit: dialect.waitingCalls, within: end - self.clock.now(),
            by: self.deadlines)
        {
        case .begun: break
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
            let reply = try await self.exchange(inquiry, dialect, inbox, before: end)
            self.turns.leave(place)
            return reply
        } catch {
            // Nothing tells a late answer apart from that of the next call, so the next one waits for a while.
            if error.delivery == .notSent || error.code == .noMatchingSubscribers {
                self.turns.leave(place)
            } else {
                self.deadlines.schedule(after: Self.lateAnswerTime) { self.turns.leave(place) }
            }
            throw error
        }
    }

    /// How long a device that handles one call at a time may answer after the caller has given up.
    private static let lateAnswerTime = Duration.seconds(2)

    private nonisolated(nonsending) func exchange(
        _ inquiry: MQTTDialect.Inquiry, _ dialect: MQTTDialect, _ inbox: ReplyInbox, before end: Timestamp
    ) async throws(MQTTError) -> MQTTMessage {
        let id = CallID(random: dialect.identifiers)
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
        let left = end - self.clock.now()
        // A device must not act on a call whose caller does not wait for the answer.
        if Task.isCancelled { throw MQTTError(.cancelled, "The task was cancelled.", delivery: .notSent) }
        guard left > .zero else {
            throw MQTTError(.timedOut, "The time for calling \(inquiry.device) was over.", delivery: .notSent)
        }
        properties.messageExpiryInterval = UInt32(clamping: max(1, left.roundedUpSeconds))
        let message = try self.makeMessage(request.payload, request.topic, dialect.qos, false, properties)
        let buffer = ReplyBuffer(wanted: 1, bound: (1, .max))
        let registration = try inbox.register(buffer, for: key, limit: self.configuration.limits.waitingRequests) {
            dialect.isAnswer($0, to: inquiry)
        }
        let replies = try self.ask(message, expecting: buffer, from: .inbox(inbox, registration), within: left)
        guard let reply = try await replies.next() else {
            throw MQTTError(.timedOut, "\(inquiry.device) did not answer in time.", delivery: .unknown)
        }
        return reply
    }

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
        for dialect: MQTTDialect, _ device: String, _ limit: Duration
    ) async throws(MQTTError) -> ReplyInbox {
        if dialect.usesResponseTopic { return try await self.responseInbox(limit) }
        let filters = dialect.answerFilters(device, source: self.source(dialect))
        let parsed = try Self.parse(filters)
        let levels = MQTTDialect.levels(of: device)
        let name = ReplyInbox.Name.answers(dialect.answer, filters)
        return try await self.inbox(named: name, limit) { _ in
            ReplyInbox.Plan(
                name: name, filters: parsed, key: { dialect.key(of: $0, deviceLevels: levels).map { .text($0) } },
                isPrivate: dialect.answersArePrivate, readsPayload: dialect.answersNameCallInPayload)
        }
    }
}

extension MQTTDialect {
    /// Whether answers arrive on a response topic of MQTT 5.0.
    var usesResponseTopic: Bool { self.request.source == .responseTopic }

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

import CurlewCore

/// Subscribes until enough messages have arrived, or the time is up.
struct Collector {
    private let subscriptions: [TopicSubscription]
    private let includesRetained: Bool
    private let limit: Duration

    init(_ subscriptions: [TopicSubscription], includingRetained: Bool, within limit: Duration) {
        self.subscriptions = subscriptions
        self.includesRetained = includingRetained
        self.limit = limit
    }

    /// What has arrived.
    struct Collected {
        var messages: [MQTTMessage] = []
        /// Whether all wanted messages have arrived.
        var isComplete = false
    }

    nonisolated(nonsending) func collect(
        _ count: Int, on engine: ClientEngine, where isWanted: (MQTTMessage) async throws -> Bool = { _ in true },
        until isLast: (MQTTMessage) async throws -> Bool = { _ in false }
    ) async throws -> Collected {
        guard count > 0 else { throw MQTTError(.invalidArgument, "The number of messages must be at least 1.") }
        guard self.limit >= .zero else {
            throw MQTTError(.invalidArgument, "`within` is \(self.limit): give a time that is not negative.")
        }
        let end = engine.clock.now() + self.limit
        let subscription = try await engine.subscribe(
            to: self.subscriptions.map { ($0.filter, $0.options) }, claim: .matching, queue: nil,
            acknowledgement: .onConsumption, timeout: self.limit)
        var collected = Collected()
        do {
            var messages = MQTTTimedMessages(subscription, until: end).makeAsyncIterator()
            while let message = try await messages.next() {
                guard self.includesRetained || !message.isRetained, try await isWanted(message) else { continue }
                collected.messages.append(message)
                let isLast = try await isLast(message)
                collected.isComplete = isLast || collected.messages.count == count
                if collected.isComplete { break }
            }
        } catch var error as MQTTError {
            error.messages = collected.messages
            throw error
        }
        guard collected.isComplete || engine.clock.now() >= end else {
            var error = engine.stopped
            error.messages = collected.messages
            throw error
        }
        return collected
    }

    /// The error if fewer messages arrived in time than the caller needs.
    func tooFew(_ messages: [MQTTMessage], of count: Int) -> MQTTError {
        let filters = self.subscriptions.map { "\"\($0.filter)\"" }.joined(separator: ", ")
        let arrived = count == 1 ? "No message" : "Only \(messages.count) of \(count) messages"
        var error = MQTTError(.timedOut, "\(arrived) from \(filters) arrived within \(self.limit).")
        error.messages = messages
        return error
    }
}

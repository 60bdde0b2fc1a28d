import CoreMetrics
import CurlewCore
import Logging
import Synchronization

// The events of subscriptions: consumers have processed or dropped messages, or their queues are full.
extension ClientEngine: ReceiverOwner {
    func acknowledge(_ token: DeliveryToken, _ reasonCode: ReasonCode) {
        let flush = self.state.withLock { state in
            let before = state.output.byteCount
            state.session.consumed(token, reasonCode: reasonCode, into: &state.output.bytes)
            state.output.countAnswers(since: before)
            return state.output.claimFlush()
        }
        self.flush(flush)
    }

    func acknowledge(_ tokens: [DeliveryToken]) {
        guard !tokens.isEmpty else { return }
        let flush = self.state.withLock { state in
            let before = state.output.byteCount
            for token in tokens { state.session.consumed(token, into: &state.output.bytes) }
            state.output.countAnswers(since: before)
            return state.output.claimFlush()
        }
        self.flush(flush)
    }

    func dropped(_ count: Int, by receiver: any MessageReceiver) {
        self.state.withLock { $0.tally.statistics.messagesDropped += count }
        self.meters.dropped.increment(by: count)
        self.events.post(.messagesDropped(filters: receiver.filters, count: count))
    }

    func countUnexpectedReplies(_ count: Int) {
        self.state.withLock { $0.tally.statistics.unexpectedReplies += count }
    }

    func setFull(_ isFull: Bool, _ id: SubscriberID) {
        let connection = self.state.withLock { state in
            let holdsReading = state.receivers.note(id, isFull: isFull)
            self.holdsReading.store(holdsReading, ordering: .relaxed)
            return state.connection.bound
        }
        // Pausing needs no call: a queue fills up during a read, after which the connection checks `isHoldingReading`.
        guard !isFull, let connection else { return }
        self.eventLoop.execute { connection.value.readOnAfterHolding() }
    }

    func forget(_ id: SubscriberID) { self.state.withLock { $0.receivers.forget(id) } }

    // MARK: Stuck acknowledgements

    /// Checks periodically, while any message is unacknowledged, whether a consumer still holds the same message as at
    /// the previous check.
    ///
    /// - Parameter before: The messages that consumers held at the previous check, and for how long.
    func watchAcknowledgements(_ before: [SubscriberID: (message: MQTTMessage, age: Duration)] = [:]) {
        guard let period = self.configuration.acknowledgement.stuckWarning else { return }
        self.deadlines.schedule(after: period) { [weak self] in
            guard let self else { return }
            let receivers: [SubscriberID: any MessageReceiver]? = self.state.withLock { state in
                state.receivers.isWatched = state.session.unacknowledgedCount > 0
                return state.receivers.isWatched ? state.receivers.holders : nil
            }
            guard let receivers else { return }
            var now: [SubscriberID: (message: MQTTMessage, age: Duration)] = [:]
            for (id, receiver) in receivers {
                guard let message = receiver.messageInHand else { continue }
                let age = before[id].flatMap { $0.message.isSame(as: message) ? $0.age + period : nil }
                now[id] = (message, age ?? .zero)
                guard let age else { continue }
                self.logger.warning(
                    "acknowledgement stuck", metadata: ["topic": "\(message.topic)", "age": "\(age)"])
                self.events.post(.acknowledgementStuck(topic: message.topic, age: age))
            }
            self.watchAcknowledgements(now)
        }
    }
}

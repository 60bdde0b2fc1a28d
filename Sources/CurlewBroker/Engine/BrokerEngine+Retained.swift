import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

// The retained messages of the broker.
extension BrokerEngine {
    /// Removes retained messages that have expired. They are looked for in a copy, because that takes a while.
    func removeExpiredMessages(now: Timestamp) {
        let expired = self.retained.withLock { $0 }.expired(now: now)
        guard !expired.isEmpty else { return }
        // A few at a time: publishers and subscribers wait for the lock.
        for first in stride(from: 0, to: expired.count, by: Self.expiredAtOnce) {
            let some = Array(expired[first..<min(first + Self.expiredAtOnce, expired.count)])
            self.retained.withLock { retained in
                let removed = retained.remove(some)
                self.countRetained(-removed.count)
                _ = self.journal?.append(removed.map { .retainedRemoved($0.topic) })
            }
            for message in some { self.events.tell(.retained, .retained(message.topic, isSet: false)) }
        }
    }

    /// So many more messages are retained: counts what each takes besides itself.
    func countRetained(_ count: Int) { self.budget.changed(by: count * Self.retainedOverhead) }

    private static let retainedOverhead = 384
    private static let expiredAtOnce = 256

    /// Keeps a message for those who subscribe later, or removes what was kept [MQTT-3.3.1-5] [MQTT-3.3.1-6].
    ///
    /// - Parameters:
    ///   - version: The version of the subscriptions that the message is routed by, if its route is known already. It
    ///     is outdated if there is a later version. This is checked under the lock: a subscriber whose subscription the
    ///     route does not know looks at the retained messages later, and finds this one.
    ///   - claim: What has to be done first, under the same lock.
    func retain(
        _ publication: inout Publication, from client: MQTTBrokerClient?, routedBy version: UInt64? = nil,
        _ routing: inout Routing, claim: (inout Effects) -> Outcome
    ) -> Outcome {
        guard self.configuration.behavior.retainAvailable else { return claim(&routing.effects) }
        let message = publication.message(self.budget)
        let source = client.map { RetainedMessages.Source(clientIdentifier: $0.identifier, username: $0.username) }
        var effects = routing.effects
        let (outcome, stored) = self.retained.withLock { retained -> (Outcome, RetainedMessages.Stored?) in
            if let version, version != self.subscriptionVersion.load(ordering: .acquiring) { return (.outdated, nil) }
            let claimed = claim(&effects)
            guard claimed == .done else { return (claimed, nil) }
            let before = retained.count
            // Half of the memory is reserved for other things than retained messages.
            let hasRoom = retained.byteCount < self.budget.shares.limit / 2
            let stored = retained.store(message, from: source) { hasRoom ? self.budget.room(holding: $0) : 0 }
            self.countRetained(retained.count - before)
            switch stored {
            case _ where message.topic.isReserved: break
            case .set:
                effects.wait(
                    for: self.recorder.record(
                        .retained(
                            MQTTBrokerSnapshot.Retained(
                                self.recorder.stored(message), clientIdentifier: client?.identifier,
                                username: client?.username))
                    ))
            case .removed(true), .full: effects.wait(for: self.recorder.record(.retainedRemoved(message.topic)))
            case .removed(false): break
            }
            return (.done, stored)
        }
        routing.effects = effects
        switch stored {
        case .set?: self.events.note(.retained, .retained(message.topic, isSet: true), in: &routing.effects)
        case .removed(true)?: self.events.note(.retained, .retained(message.topic, isSet: false), in: &routing.effects)
        case .removed(false)?, nil: break
        case .full?: routing.isRetainedRefused = true
        }
        return outcome
    }
}

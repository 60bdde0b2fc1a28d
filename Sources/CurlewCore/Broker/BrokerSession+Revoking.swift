import DequeModule

// Drops messages that the client may not receive any more because the rules have changed.
extension BrokerSession {
    /// The topics of all messages that are still to be written: those in the queue, and those to be resent.
    package var topicsToWrite: Set<TopicName> {
        var topics = Set(self.queue.lazy.map(\.message.topic))
        for id in self.outgoing.identifiers(in: .unanswered) {
            if let pending = self.unwritten(id) { topics.insert(pending.message.topic) }
        }
        return topics
    }

    /// The message of an exchange, if it is to be resent.
    private func unwritten(_ id: PacketID) -> Pending? {
        guard self.outgoing.status(id)?.position == .waiting, case .publish(let pending)? = self.outgoing[id] else {
            return nil
        }
        return pending
    }

    /// The dropped messages.
    package struct Revoked: Sendable {
        /// The topic of each message that no other client gets instead.
        package var dropped: [TopicName] = []
        /// Messages of shared subscriptions, which another member may get.
        package var orphans: [(TopicFilter, BrokerMessage)] = []

        fileprivate mutating func add(_ pending: Pending) {
            if let group = pending.terms.group {
                self.orphans.append((group, pending.message))
            } else {
                self.dropped.append(pending.message.topic)
            }
        }
    }

    /// Drops messages on these topics that are still to be written.
    ///
    /// The client may have received a QoS 2 message and remember its packet identifier, so PUBREL takes the place of
    /// the message [MQTT-4.3.3-8]: otherwise the next message with that identifier would be taken for a duplicate.
    package mutating func revoke(_ topics: Set<TopicName>) -> Revoked {
        var revoked = Revoked()
        guard !topics.isEmpty else { return revoked }
        for pending in self.queue where topics.contains(pending.message.topic) { revoked.add(pending) }
        if !revoked.dropped.isEmpty || !revoked.orphans.isEmpty { self.keep { !topics.contains($0.message.topic) } }
        for id in self.outgoing.identifiers(in: .unanswered) {
            guard let pending = self.unwritten(id), topics.contains(pending.message.topic) else { continue }
            self.outgoing.revoke(id)
            guard pending.terms.qos == .exactlyOnce else {
                revoked.add(pending)
                self.record(.removed(pending.number))
                continue
            }
            revoked.dropped.append(pending.message.topic)
            self.record(.received(pending.number))
        }
        return revoked
    }
}

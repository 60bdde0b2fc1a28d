import CurlewCore
import CurlewTransport
import Logging
import NIOCore
import Synchronization

extension BrokerEngine {
    /// Who publishes a message.
    struct Publisher {
        let client: MQTTBrokerClient
        let session: HostedSession
    }

    /// What became of a message.
    enum Published: Equatable {
        /// So many get it.
        case routed(Int)
        /// A filter has refused it.
        case rejected(ReasonCode)
    }

    /// Has everybody get a message who has subscribed to it, and keeps it if it is to be retained; on the worker's loop.
    ///
    /// - Parameter change: What is stored together with those whom the message waits for: neither is true without the other.
    func publish(
        _ packet: consuming Publish, topic: TopicName, from publisher: Publisher?, isSystem: Bool = false,
        with change: MQTTBrokerChange? = nil, on worker: Worker, now: Timestamp
    ) -> Published {
        var topic = topic
        if !self.configuration.publishFilters.isEmpty, !isSystem {
            switch self.filter(packet, topic: topic, from: publisher?.client) {
            case .success(let message):
                topic = message.topic
                packet.payload = message.payload
                packet.qos = message.qos
                packet.retain = message.retain
                packet.properties = message.properties
            case .failure(let rejected): return .rejected(rejected.reasonCode)
            }
        }
        var publication = Publication(packet, topic: topic, now: now)
        publication.number = self.messageNumber
        guard let change else { return .routed(self.passOn(&publication, from: publisher, on: worker, now: now)) }
        return self.group(on: worker) {
            let receivers = self.passOn(&publication, from: publisher, on: worker, now: now)
            self.record(change, on: worker)
            return .routed(receivers)
        }
    }

    private func passOn(
        _ publication: inout Publication, from publisher: Publisher?, on worker: Worker, now: Timestamp
    ) -> Int {
        if publication.retain { self.retain(&publication, from: publisher?.client, on: worker) }
        return self.route(&publication, from: publisher?.session, on: worker, now: now)
    }

    /// Gives a message to all whose subscriptions match. Returns to how many.
    func route(
        _ publication: inout Publication, from publisher: HostedSession?, on worker: Worker, now: Timestamp
    ) -> Int {
        let entry = self.route(of: publication.topic, on: worker)
        guard !entry.route.isEmpty else { return 0 }
        let upgrades = self.configuration.behaviour.upgradesOutgoingQoS
        publication.hasSeveralReceivers = entry.route.targets.count > 1
        var receivers = 0
        for target in entry.route.targets {
            let isOwn = if case .session(let session) = target.subscriber { session === publisher } else { false }
            guard
                let terms = target.terms(
                    publishedAt: publication.qos, retain: publication.retain, isOwn: isOwn, upgrades: upgrades)
            else { continue }
            receivers += 1
            self.deliver(&publication, terms, to: target.subscriber, on: worker, now: now)
        }
        for group in entry.route.groups where !group.members.isEmpty {
            entry.turn &+= 1
            receivers += 1
            self.deliver(&publication, to: group, turn: entry.turn, on: worker, now: now)
        }
        return receivers
    }

    /// Gives a message to one of those who share a subscription: in turn to those who are connected, and if none is, to one who is away.
    func deliver(
        _ publication: inout Publication, to group: SubscriptionIndex<Subscriber>.Group, turn: Int, on worker: Worker,
        now: Timestamp
    ) {
        let count = group.members.count
        let first = Int(UInt(bitPattern: turn) % UInt(count))
        // So many absent members are passed over; beyond that, one of them has to do.
        let probes = min(count, Self.mostProbes)
        let connected = (0..<probes).first { offset in
            guard case .session(let session) = group.members[(first + offset) % count].subscriber else { return true }
            return session.isConnected.load(ordering: .relaxed)
        }
        for offset in 0..<count {
            let member = group.members[(first + (connected ?? 0) + offset) % count]
            guard
                let terms = group.terms(
                    member.grant, publishedAt: publication.qos, retain: publication.retain,
                    upgrades: self.configuration.behaviour.upgradesOutgoingQoS)
            else { return }
            // A member whose session has just ended does not take it: then the next one gets it.
            if self.deliver(&publication, terms, to: member.subscriber, on: worker, now: now) { return }
        }
    }

    private static let mostProbes = 1024

    /// Returns whether there still is such a subscriber.
    @discardableResult
    private func deliver(
        _ publication: inout Publication, _ terms: DeliveryTerms, to subscriber: Subscriber, on worker: Worker,
        now: Timestamp
    ) -> Bool {
        switch subscriber {
        case .session(let session):
            guard let (delivered, toFlush, change) = session.deliver(&publication, terms, now: now, engine: self) else {
                return false
            }
            if change > 0, terms.qos > .atMostOnce { worker.onLoop.note(change) }
            if let toFlush { worker.flushSoon(toFlush) }
            self.count(delivered, of: publication.topic, for: session.clientIdentifier, on: worker)
        case .local(let local):
            let message = MQTTBrokerMessage(
                topic: publication.topic, payload: publication.message().payload, qos: terms.qos, retain: terms.retain,
                properties: publication.properties)
            if !local.deliver(message) { self.dropped(publication.topic, .queueFull, for: "", on: worker) }
        }
        return true
    }

    /// Counts and reports what became of a message.
    func count(
        _ delivered: BrokerSession.Delivered, of topic: TopicName, for clientIdentifier: String, on worker: Worker
    ) {
        switch delivered {
        case .written: worker.counters.publishesSent.count()
        case .queued, .notKept: break
        case .queuedInPlaceOf(let count, let isTaken):
            for _ in 0..<(isTaken ? count : count + 1) {
                self.dropped(topic, .queueFull, for: clientIdentifier, on: worker)
            }
        case .queueFull: self.dropped(topic, .queueFull, for: clientIdentifier, on: worker)
        case .tooLarge: self.dropped(topic, .tooLarge, for: clientIdentifier, on: worker)
        }
    }

    func dropped(_ topic: TopicName, _ reason: MQTTDropReason, for clientIdentifier: String, on worker: Worker) {
        worker.counters.publishesDropped.count()
        self.events.tell(.dropped, .dropped(clientIdentifier: clientIdentifier, topic, reason))
    }

    // MARK: Before routing

    private struct Rejected: Error {
        let reasonCode: ReasonCode
    }

    private func filter(
        _ packet: borrowing Publish, topic: TopicName, from client: MQTTBrokerClient?
    ) -> Result<MQTTBrokerMessage, Rejected> {
        var message = MQTTBrokerMessage(
            topic: topic, payload: packet.payload, qos: packet.qos, retain: packet.retain, properties: packet.properties
        )
        for filter in self.configuration.publishFilters {
            switch filter.willPublish(message, from: client) {
            case .pass: continue
            case .replace(let other): message = other
            case .reject(let code): return .failure(Rejected(reasonCode: code))
            }
        }
        return .success(message)
    }

    /// Removes retained messages whose time is over. They are looked for in a copy, for that takes a while.
    func removeExpiredMessages(now: Timestamp) {
        let expired = self.retained.withLock { $0 }.expired(now: now)
        guard !expired.isEmpty else { return }
        self.retained.withLock { retained in
            let removed = retained.remove(expired)
            _ = self.journal?.append(removed.map { .retainedRemoved($0.topic) })
        }
        for message in expired { self.events.tell(.retained, .retained(message.topic, isSet: false)) }
    }

    /// Keeps a message for those who subscribe later, or removes what was kept [MQTT-3.3.1-5] [MQTT-3.3.1-6].
    private func retain(_ publication: inout Publication, from client: MQTTBrokerClient?, on worker: Worker) {
        guard self.configuration.behaviour.retainAvailable else { return }
        let message = publication.message()
        let source = client.map { RetainedMessages.Source(clientIdentifier: $0.identifier, username: $0.username) }
        let outcome = self.retained.withLock { retained in
            let outcome = retained.store(message, from: source)
            switch outcome {
            case _ where message.topic.isReserved: break
            case .set:
                self.record(
                    .retained(
                        MQTTBrokerSnapshot.Retained(
                            self.stored(message), clientIdentifier: client?.identifier, username: client?.username)),
                    on: worker)
            case .removed(true), .full: self.record(.retainedRemoved(message.topic), on: worker)
            case .removed(false): break
            }
            return outcome
        }
        switch outcome {
        case .set: self.events.tell(.retained, .retained(message.topic, isSet: true))
        case .removed(true): self.events.tell(.retained, .retained(message.topic, isSet: false))
        case .removed(false): break
        case .full:
            self.logger.warning(
                "a retained message was not kept: the limit is reached", metadata: ["topic": "\(message.topic)"])
        }
    }
}

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
    func publish(
        _ packet: consuming Publish, topic: TopicName, from publisher: Publisher?, isSystem: Bool = false,
        on worker: Worker,
        now: Timestamp
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
        if packet.retain { self.retain(&publication, from: publisher?.client) }
        return .routed(self.route(&publication, from: publisher?.session, on: worker, now: now))
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
        var chosen = group.members[first]
        for offset in 0..<count {
            let member = group.members[(first + offset) % count]
            if case .session(let session) = member.subscriber, !session.isConnected { continue }
            chosen = member
            break
        }
        guard
            let terms = group.terms(
                chosen.grant, publishedAt: publication.qos, retain: publication.retain,
                upgrades: self.configuration.behaviour.upgradesOutgoingQoS)
        else { return }
        self.deliver(&publication, terms, to: chosen.subscriber, on: worker, now: now)
    }

    private func deliver(
        _ publication: inout Publication, _ terms: DeliveryTerms, to subscriber: Subscriber, on worker: Worker,
        now: Timestamp
    ) {
        switch subscriber {
        case .session(let session):
            let (delivered, toFlush) = session.deliver(&publication, terms, now: now, engine: self)
            if let toFlush { worker.flushSoon(toFlush) }
            switch delivered {
            case .written: worker.counters.publishesSent.count()
            case .queued, .notKept: break
            case .queueFull: self.dropped(publication.topic, .queueFull, for: session.clientIdentifier, on: worker)
            case .tooLarge: self.dropped(publication.topic, .tooLarge, for: session.clientIdentifier, on: worker)
            }
        case .local(let local):
            let message = MQTTBrokerMessage(
                topic: publication.topic, payload: publication.message().payload, qos: terms.qos, retain: terms.retain,
                properties: publication.properties)
            if !local.deliver(message) { self.dropped(publication.topic, .queueFull, for: "", on: worker) }
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

    /// Keeps a message for those who subscribe later, or removes what was kept [MQTT-3.3.1-5] [MQTT-3.3.1-6].
    private func retain(_ publication: inout Publication, from client: MQTTBrokerClient?) {
        guard self.configuration.behaviour.retainAvailable else { return }
        let message = publication.message()
        let source = client.map { RetainedMessages.Source(clientIdentifier: $0.identifier, username: $0.username) }
        let stored = self.retained.withLock { $0.store(message, from: source) }
        switch stored {
        case .set: self.events.tell(.retained, .retained(message.topic, isSet: true))
        case .removed(true): self.events.tell(.retained, .retained(message.topic, isSet: false))
        case .removed(false): break
        case .full:
            self.logger.warning(
                "a retained message was not kept: the limit is reached", metadata: ["topic": "\(message.topic)"])
        }
    }
}

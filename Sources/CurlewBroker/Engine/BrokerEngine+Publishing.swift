import CurlewCore
import CurlewTransport
import Logging
import NIOCore
import Synchronization

// The way of a message through the broker: filtered, retained, routed, and handed to each receiver.
extension BrokerEngine {
    /// Who publishes a message.
    struct Publisher {
        let client: MQTTBrokerClient
        let session: HostedSession
    }

    /// What became of a message.
    enum Published {
        case routed(Routing)
        /// A filter has rejected it.
        case rejected(ReasonCode)
    }

    /// Where a message went.
    struct Routing {
        /// How many receivers have it, or will get it.
        var receivers = 0
        /// How many did not get it because their queues, or the memory of the broker, are full.
        var refusals = 0
        /// Whether it was to be retained, and there was no room for it.
        var isRetainedRefused = false
        /// The receivers that the publisher must wait for before it continues.
        var holders: [ObjectIdentifier] = []
        /// When none of them is worth waiting for any more.
        var heldUntil = Timestamp.start
        /// What is left to do, and what an acknowledgement waits for.
        var effects = Effects()

        /// Whether the message is lost for everybody who should have received it.
        var isRefused: Bool { self.receivers == 0 && (self.refusals > 0 || self.isRetainedRefused) }
    }

    /// Publishes a message: delivers it to everybody who has subscribed to it, and keeps it if it is to be retained; on
    /// the worker's loop.
    ///
    /// - Parameters:
    ///   - held: Who waits if the receivers cannot keep up; `nil` for a publisher that cannot wait.
    ///   - change: What is stored together with the deliveries of the message: neither is true without the other. It is
    ///     not stored if the message is refused.
    func publish(
        _ packet: consuming Publish, topic: TopicName, from publisher: Publisher?, isSystem: Bool = false,
        holding held: (any HeldPublisher)? = nil, with change: MQTTBrokerChange? = nil, on worker: Worker,
        now: Timestamp
    ) -> Published {
        var topic = topic
        if !self.configuration.publishFilters.isEmpty, !isSystem {
            let original = MQTTBrokerMessage(
                topic: topic, payload: packet.payload, qos: packet.qos, retain: packet.retain,
                properties: packet.properties)
            switch self.applyFilters(to: original, from: publisher?.client) {
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
        publication.number = self.recorder.messageNumber
        // A message at QoS 0 may be lost: nobody waits for it.
        let held = publication.qos > .atMostOnce ? held : nil
        let routing =
            if let change {
                self.routeInGroup(publication, from: publisher, holding: held, with: change, on: worker, now: now)
            } else {
                self.retainAndRoute(&publication, from: publisher, holding: held, on: worker, now: now)
            }
        if routing.isRefused { worker.counters.publishesRefused.count() }
        self.finishPublishing(topic, routing, on: worker)
        return .routed(routing)
    }

    private func retainAndRoute(
        _ publication: inout Publication, from publisher: Publisher?, holding held: (any HeldPublisher)?,
        on worker: Worker, now: Timestamp
    ) -> Routing {
        var routing = Routing()
        if publication.retain { _ = self.retain(&publication, from: publisher?.client, &routing) { _ in .done } }
        let route = self.receivers(of: publication.topic, on: worker)
        self.fanOut(&publication, over: route, from: publisher, holding: held, on: worker, now: now, &routing)
        return routing
    }

    private func routeInGroup(
        _ publication: Publication, from publisher: Publisher?, holding held: (any HeldPublisher)?,
        with change: MQTTBrokerChange, on worker: Worker, now: Timestamp
    ) -> Routing {
        var routing = Routing()
        self.untilDone { attempt in
            var message = self.prepare(publication, from: publisher, attempt, on: worker)
            return self.recorder.group(if: message.isGrouped) {
                let outcome = self.carryOut(&message, holding: held, on: worker, now: now, &routing) { _ in .done }
                if outcome == .done, !routing.isRefused { routing.effects.wait(for: self.recorder.record(change)) }
                return outcome
            }
        }
        return routing
    }

    /// A message has gone to its receivers: does what could not be done under locks.
    func finishPublishing(_ topic: TopicName, _ routing: Routing, on worker: Worker) {
        if routing.isRetainedRefused {
            self.clientLog.write(
                .retainedFull, self.clientLog.isDetailed ? ["topic": "\(topic.string.printable)"] : [:])
        }
        if !routing.effects.isEmpty { self.complete(routing.effects, on: worker) }
    }

    /// Does what an operation has left: dispatches events, and delivers orphans to other members of their groups; under
    /// no lock.
    func complete(_ effects: Effects, on worker: Worker) {
        for event in effects.events { self.events.dispatch(event) }
        if !effects.orphans.isEmpty { self.redeliverInTurns(effects.orphans[...], on: worker) }
    }

    // MARK: Groups of changes

    // User code is never called within a group of the journal, for other groups wait meanwhile. But the route of a
    // message depends on authorizers. So, if any of them is asked about receivers, the route is found before the group
    // begins; and if it is outdated by then, the group does nothing and is tried again.

    /// What became of an attempt at a group of changes.
    enum Outcome {
        /// The changes are made.
        case done
        /// Nothing is changed: the operation is not called for any more.
        case uncalledFor
        /// Nothing is changed: what was prepared is outdated.
        case outdated
    }

    /// The number of an attempt.
    struct Attempt {
        fileprivate var number = 1

        /// Whether to go without prepared routes: subscriptions may change all the time, and each attempt may ask about
        /// thousands of receivers.
        var mustProceed: Bool { self.number >= 8 }
    }

    /// Repeats what is outdated.
    func untilDone(_ body: (Attempt) -> Outcome) {
        var attempt = Attempt()
        while body(attempt) == .outdated { attempt.number += 1 }
    }

    /// A message of which all is known that user code decides.
    struct PreparedMessage {
        var publication: Publication
        let publisher: Publisher?
        /// The route, and the version of the subscriptions that it was found by; `nil` to find it when the message is
        /// routed.
        fileprivate let route: (entry: RouteCache.Entry, version: UInt64)?
        /// Whether it is published in a group. Only not if a route cannot be prepared: then a crash may separate the
        /// message from what should be stored together with it.
        let isGrouped: Bool
    }

    /// Finds the route of a message, if it cannot be found within a group.
    func prepare(
        _ publication: Publication, from publisher: Publisher?, _ attempt: Attempt, on worker: Worker
    ) -> PreparedMessage {
        guard self.asksAboutReceivers, !(attempt.mustProceed && publication.retain) else {
            return PreparedMessage(
                publication: publication, publisher: publisher, route: nil, isGrouped: !self.asksAboutReceivers)
        }
        let entry = self.receivers(of: publication.topic, on: worker)
        return PreparedMessage(
            publication: publication, publisher: publisher, route: (entry, worker.onLoop.routes.version),
            isGrouped: true)
    }

    /// Retains a prepared message and hands it to its receivers; within a group.
    ///
    /// - Parameter claim: What has to be done first, unless the message is outdated. The message is published if that
    ///   is done.
    func carryOut(
        _ message: inout PreparedMessage, holding held: (any HeldPublisher)? = nil, on worker: Worker, now: Timestamp,
        _ routing: inout Routing, claim: (inout Effects) -> Outcome
    ) -> Outcome {
        let outcome =
            if message.publication.retain {
                self.retain(
                    &message.publication, from: message.publisher?.client, routedBy: message.route?.version, &routing,
                    claim: claim)
            } else {
                claim(&routing.effects)
            }
        guard outcome == .done else { return outcome }
        let route = message.route?.entry ?? self.receivers(of: message.publication.topic, on: worker)
        self.fanOut(
            &message.publication, over: route, from: message.publisher, holding: held, on: worker, now: now, &routing)
        return .done
    }

    // MARK: Receivers

    /// Hands a message to all receivers of its route.
    private func fanOut(
        _ publication: inout Publication, over entry: RouteCache.Entry, from publisher: Publisher?,
        holding held: (any HeldPublisher)?, on worker: Worker, now: Timestamp, _ routing: inout Routing
    ) {
        guard !entry.isEmpty else { return }
        let publishingSession = publisher?.session
        let upgrades = self.configuration.behavior.upgradesOutgoingQoS
        publication.hasSeveralReceivers = entry.route.targets.count > 1
        for target in entry.route.targets {
            let isOwn =
                if case .session(let session) = target.subscriber { session === publishingSession } else { false }
            guard
                let terms = target.grants.terms(
                    publishedAt: publication.qos, retain: publication.retain, isOwn: isOwn, upgrades: upgrades)
            else { continue }
            let delivery = self.hand(
                &publication, terms, to: target.subscriber, holding: held, on: worker, now: now, &routing)
            if let delivery {
                self.tally(delivery, of: publication.topic, for: target.subscriber, on: worker, &routing)
            }
        }
        for group in entry.route.groups where !group.members.isEmpty {
            entry.turn &+= 1
            self.share(&publication, among: group, turn: entry.turn, holding: held, on: worker, now: now, &routing)
        }
        worker.onLoop.work += routing.receivers
    }

    /// Hands a message to one of those who share a subscription: in turn to those who are connected, and if none is, to
    /// one who is away. If a member has no room, the next one gets it.
    func share(
        _ publication: inout Publication, among group: SubscriptionIndex<Receiver>.Group, turn: Int,
        holding held: (any HeldPublisher)? = nil, on worker: Worker, now: Timestamp, _ routing: inout Routing
    ) {
        var offers = SharedTurn(among: group.members.count, turn: turn) { index in
            guard case .session(let session) = group.members[index].subscriber else { return true }
            return session.isConnected.load(ordering: .relaxed)
        }
        var refused: (delivery: HostedSession.Delivery, member: Receiver)?
        while let index = offers.next() {
            let member = group.members[index]
            let terms = member.grant.terms(
                sharing: group.filter, publishedAt: publication.qos, retain: publication.retain,
                upgrades: self.configuration.behavior.upgradesOutgoingQoS)
            // A member whose session has just ended does not take it: then the next one gets it.
            guard
                let delivery = self.hand(
                    &publication, terms, to: member.subscriber, holding: held, on: worker, now: now, &routing)
            else { continue }
            guard delivery.outcome.isRefused else {
                return self.tally(delivery, of: publication.topic, for: member.subscriber, on: worker, &routing)
            }
            offers.refused()
            if refused == nil { refused = (delivery, member.subscriber) }
        }
        if let refused {
            self.tally(refused.delivery, of: publication.topic, for: refused.member, on: worker, &routing)
        }
    }

    /// Hands a message to one receiver.
    ///
    /// - Returns: `nil` if there is no such receiver any more.
    private func hand(
        _ publication: inout Publication, _ terms: DeliveryTerms, to receiver: Receiver,
        holding held: (any HeldPublisher)?, on worker: Worker, now: Timestamp, _ routing: inout Routing
    ) -> HostedSession.Delivery? {
        switch receiver {
        case .session(let session):
            guard
                let delivery = session.offer(&publication, terms, from: held, now: now)
            else { return nil }
            if terms.qos > .atMostOnce { routing.effects.wait(for: delivery.position) }
            if let toFlush = delivery.toFlush { worker.flushSoon(toFlush) }
            return delivery
        case .local(let local):
            // The program may be what takes the messages: it must not wait for itself.
            let held = held?.isProgram == true ? nil : held
            return local.dispatch(
                publication.message(self.budget), terms, from: held, now: now, budget: self.budget)
        }
    }

    // MARK: Counting

    private func tally(
        _ delivery: HostedSession.Delivery, of topic: TopicName, for receiver: Receiver, on worker: Worker,
        _ routing: inout Routing
    ) {
        if delivery.outcome.isRefused { routing.refusals += 1 } else { routing.receivers += 1 }
        let holder: ObjectIdentifier
        let name: String
        switch receiver {
        case .session(let session):
            holder = ObjectIdentifier(session)
            name = session.clientIdentifier
        case .local(let local):
            holder = ObjectIdentifier(local)
            name = ""
        }
        if let until = delivery.heldUntil {
            routing.holders.append(holder)
            routing.heldUntil = max(routing.heldUntil, until)
        }
        self.count(delivery.outcome, of: topic, for: name, on: worker, &routing.effects)
    }

    /// Counts what became of a message, and notes what observers are told about it.
    func count(
        _ outcome: BrokerSession.Delivered, of topic: TopicName, for clientIdentifier: String, on worker: Worker,
        _ effects: inout Effects
    ) {
        switch outcome {
        case .written: worker.counters.publishesSent.count()
        case .queued, .notKept: break
        case .queuedInPlaceOf(let count, let isTaken):
            for _ in 0..<(isTaken ? count : count + 1) {
                self.countDropped(topic, .queueFull, for: clientIdentifier, on: worker, &effects)
            }
        case .queueFull: self.countDropped(topic, .queueFull, for: clientIdentifier, on: worker, &effects)
        case .tooLarge: self.countDropped(topic, .tooLarge, for: clientIdentifier, on: worker, &effects)
        }
    }

    func countDropped(
        _ topic: TopicName, _ reason: MQTTDropReason, for clientIdentifier: String, on worker: Worker,
        _ effects: inout Effects
    ) {
        worker.counters.publishesDropped.count()
        self.events.note(.dropped, .dropped(clientIdentifier: clientIdentifier, topic, reason), in: &effects)
    }

    /// Counts messages of these topics that a client does not get, and tells the observers; under no lock.
    func dropped(
        _ topics: some Sequence<TopicName>, _ reason: MQTTDropReason, for clientIdentifier: String, on worker: Worker
    ) {
        var effects = Effects()
        for topic in topics { self.countDropped(topic, reason, for: clientIdentifier, on: worker, &effects) }
        self.complete(effects, on: worker)
    }

    // MARK: Filters

    /// A filter has rejected a message.
    struct Rejected: Error {
        let reasonCode: ReasonCode
    }

    /// Asks the publish filters about a message. They are user code: under no lock.
    func applyFilters(
        to message: MQTTBrokerMessage, from client: MQTTBrokerClient?
    ) -> Result<MQTTBrokerMessage, Rejected> {
        var message = message
        for filter in self.configuration.publishFilters {
            switch filter.willPublish(message, from: client) {
            case .allow: continue
            case .replace(let other): message = other
            case .deny(let code): return .failure(Rejected(reasonCode: code))
            }
        }
        return .success(message)
    }
}

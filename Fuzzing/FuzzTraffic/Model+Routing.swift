import CurlewCore

// Which session gets which message.
extension Model {
    /// Routes a published message. Returns the reason code of its acknowledgement.
    func route(_ number: Int, from publisher: Session) -> ReasonCode {
        let message = self.messages[number]
        let routing = message.routings + 1
        self.messages[number].routings = routing
        if message.retain {
            self.retainedVersions += 1
            self.retained[message.topic] = Retained(
                number: number, routing: routing, version: self.retainedVersions)
        }
        var receivers = 0
        for session in self.sessions.values {
            guard let due = self.due(number, to: session, isOwn: session === publisher) else { continue }
            receivers += 1
            guard due.qos > .atMostOnce || session.wire != nil else { continue }
            if message.qos == .exactlyOnce || message.isWill {
                expect(session.routed.insert(number).inserted, "message \(number) is passed on a second time")
            }
            session.due.append(
                Session.Due(
                    number: number, qos: due.qos, retain: due.retain, identifiers: due.identifiers,
                    routing: routing, isOrdered: routing == 1 && !message.isWill))
        }
        for filter in Names.filters.indices where Names.isShared(filter) && Names.matches(filter, message.topic) {
            let grants = self.sessions.values.compactMap { $0.subscriptions[filter] }
            guard !grants.isEmpty else { continue }
            receivers += 1
            let isCertain = message.qos > .atMostOnce && grants.allSatisfy { $0.qos > .atMostOnce }
            self.shared.append(Shared(filter: filter, number: number, routing: routing, isCertain: isCertain))
        }
        return receivers == 0 ? .noMatchingSubscribers : .success
    }

    /// How a session's own subscriptions deliver a message to it; `nil` if they do not.
    private func due(
        _ number: Int, to session: Session, isOwn: Bool
    ) -> (qos: QoS, retain: Bool, identifiers: [UInt32])? {
        let message = self.messages[number]
        let grants = session.subscriptions.filter { filter, grant in
            !Names.isShared(filter) && Names.matches(filter, message.topic) && !(isOwn && grant.noLocal)
        }.values
        guard let granted = grants.map(\.qos).max() else { return nil }
        return (
            min(message.qos, granted), message.retain && grants.contains { $0.retainAsPublished },
            grants.compactMap(\.identifier).sorted()
        )
    }

    /// Notes the retained messages that match a new subscription.
    func oweRetained(_ filter: Int, _ subscription: Session.Subscription, to session: Session) {
        session.disownRetained(filter)
        for (topic, retained) in self.retained where Names.matches(filter, topic) {
            session.retained.append(
                Session.Retained(
                    number: retained.number, qos: min(self.messages[retained.number].qos, subscription.qos),
                    filter: filter, identifiers: subscription.identifier.map { [$0] } ?? [], version: retained.version))
        }
    }

    // MARK: Sent messages

    /// What a sent message was due to.
    private struct Taken {
        /// The shared subscription by which it was sent, if any.
        var group: Int?
    }

    /// Removes what was due for a message that is sent for the first time. Returns the shared subscription by which it
    /// was sent, if any.
    func take(_ number: Int, _ packet: Publish, for session: Session, on wire: Wire) -> Int? {
        let identifiers = packet.properties.subscriptionIdentifiers.sorted()
        if let taken = self.take(number, packet, wire.version == .v5_0 ? identifiers : nil, for: session) {
            return taken.group
        }
        let doubt = Session.Doubt(number: number, qos: packet.qos, retain: packet.retain, identifiers: identifiers)
        guard let index = session.doubts.firstIndex(of: doubt),
            let taken = self.take(number, packet, nil, for: session)
        else { violation("\(packet.topic?.string ?? "") \(number) is sent, but not due") }
        session.doubts.remove(at: index)
        return taken.group
    }

    /// - Parameter identifiers: The subscription identifiers; `nil` if the client does not get them. If that leaves
    /// several possibilities, none of the others is required any more.
    private func take(
        _ number: Int, _ packet: Publish, _ identifiers: [UInt32]?, for session: Session
    ) -> Taken? {
        let own = session.due.firstIndex {
            $0.number == number && $0.qos == packet.qos && $0.retain == packet.retain
                && (identifiers == nil || identifiers == $0.identifiers)
        }
        let retained = session.retained.first(whereSurest: \.isOwed) {
            $0.number == number && $0.qos == packet.qos && packet.retain
                && (identifiers == nil || identifiers == $0.identifiers)
        }
        let shared = self.shared.first(whereSurest: \.isCertain) { shared in
            shared.number == number && session.mayGet(shared, self.messages[number], packet, identifiers)
        }
        guard own != nil || retained != nil else {
            return shared.map { Taken(group: self.shared.remove(at: $0).filter) }
        }
        var taken = Taken()
        if let shared {
            self.shared[shared].isCertain = false
            taken.group = self.shared[shared].filter
        }
        if let own {
            if let retained { session.retained[retained].isOwed = false }
            let due = session.due.remove(at: own)
            self.keepOrder(due, of: session)
            if identifiers == nil { session.doubt(due.number, packet, due.identifiers) }
        } else if let retained {
            let due = session.retained.remove(at: retained)
            if identifiers == nil { session.doubt(due.number, packet, due.identifiers) }
        }
        return taken
    }

    private func keepOrder(_ due: Session.Due, of session: Session) {
        guard due.isOrdered else { return }
        let message = self.messages[due.number]
        let order = Session.Order(
            publisher: message.publisher, topic: message.topic, published: message.qos, delivered: due.qos)
        let last = session.last.updateValue(due.number, forKey: order) ?? -1
        expect(last < due.number, "message \(due.number) came after message \(last) [MQTT-4.6.0]")
    }
}

extension Array {
    /// The index of the first matching element, preferring one that is certain.
    fileprivate func first(whereSurest isSure: (Element) -> Bool, _ matches: (Element) -> Bool) -> Int? {
        self.firstIndex { isSure($0) && matches($0) } ?? self.firstIndex(where: matches)
    }
}

extension Session {
    /// After a subscription has ended or was replaced, its retained messages are no longer required.
    func disownRetained(_ filter: Int) {
        for index in self.retained.indices where self.retained[index].filter == filter {
            self.retained[index].isOwed = false
        }
    }

    /// The client does not know by which subscriptions it got a message; they may have been others than these.
    fileprivate func doubt(_ number: Int, _ packet: Publish, _ identifiers: [UInt32]) {
        self.doubts.append(
            Doubt(number: number, qos: packet.qos, retain: packet.retain, identifiers: identifiers))
    }

    /// Whether the client may be the member that gets a shared subscription's message.
    fileprivate func mayGet(
        _ shared: Model.Shared, _ message: Message, _ packet: Publish, _ identifiers: [UInt32]?
    ) -> Bool {
        self.shared[shared.filter, default: []].contains { grant in
            min(grant.qos, message.qos) == packet.qos && (message.retain && grant.retainAsPublished) == packet.retain
                && (identifiers == nil || identifiers == grant.identifier.map { [$0] } ?? [])
        }
    }
}

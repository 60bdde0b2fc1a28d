// What a store must know of a session so that it survives a restart of the program (MQTT 5.0 section 4.1).
extension BrokerSession {
    /// A stored message at QoS 1 or 2 for the client.
    package struct Kept: Sendable {
        package var number: UInt64
        /// `nil` once the client has the message, and only the end of its QoS 2 exchange is left.
        package var message: BrokerMessage?
        package var terms: DeliveryTerms
        /// `nil` while the message is queued.
        package var packetID: PacketID?

        package init(number: UInt64, message: BrokerMessage?, terms: DeliveryTerms, packetID: PacketID?) {
            self.number = number
            self.message = message
            self.terms = terms
            self.packetID = packetID
        }
    }

    /// A change to the messages at QoS 1 and 2.
    package enum Change: Sendable {
        /// A message was added.
        case added(Kept)
        /// A queued message was written with this packet identifier.
        case sent(UInt64, PacketID)
        /// PUBREC arrived: the client has the message.
        case received(UInt64)
        /// The exchange is over, or the message was dropped.
        case removed(UInt64)

        static func added(_ pending: Pending, _ packetID: PacketID?) -> Self {
            .added(
                Kept(number: pending.number, message: pending.message, terms: pending.terms, packetID: packetID))
        }
    }

    /// Whether changes are recorded until ``takeChanges()``.
    package var isKept: Bool {
        get { self.changes != nil }
        set { self.changes = newValue ? self.changes ?? [] : nil }
    }

    /// The changes since the last call.
    package mutating func takeChanges() -> [Change] {
        guard self.changes?.isEmpty == false else { return [] }
        return exchange(&self.changes, with: []) ?? []
    }

    /// Records a change, unless it is of a QoS 0 message.
    mutating func record(_ change: @autoclosure () -> Change) {
        guard self.changes != nil else { return }
        let change = change()
        switch change {
        case .removed(0): break
        case .added(let kept) where kept.number == 0: break
        default: self.changes?.append(change)
        }
    }

    /// The number of a new message at this QoS.
    mutating func makeNumber(_ qos: QoS) -> UInt64 {
        guard qos > .atMostOnce else { return 0 }
        defer { self.nextNumber += 1 }
        return self.nextNumber
    }

    /// Restores stored messages in a new session. Of two with the same packet identifier the first one counts.
    package mutating func restore(_ kept: [Kept]) {
        let kept = kept.sorted { $0.number < $1.number }
        self.nextNumber = (kept.last?.number ?? 0) &+ 1
        var inFlight: [(PacketID, Exchange, InFlightTable<Exchange>.Status.Stage)] = []
        var identifiers: Set<PacketID> = []
        for one in kept {
            if let id = one.packetID, !identifiers.insert(id).inserted { continue }
            switch (one.message, one.packetID) {
            case (let message?, let id?):
                let pending = Pending(message: message, terms: one.terms, number: one.number)
                inFlight.append((id, .publish(pending), one.terms.qos == .exactlyOnce ? .exactlyOnce : .atLeastOnce))
            case (let message?, nil):
                self.append(Pending(message: message, terms: one.terms, number: one.number))
            case (nil, let id?): inFlight.append((id, .release(one.number), .released))
            case (nil, nil): break
            }
        }
        self.outgoing = OutgoingQoS(restoring: inFlight)
    }
}

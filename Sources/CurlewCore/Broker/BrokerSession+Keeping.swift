// What a store needs to know of a session, so that it outlives the program (MQTT 5.0 section 4.1).
extension BrokerSession {
    /// A message at QoS 1 or 2 for the client, as it is kept.
    package struct Kept: Sendable {
        package var number: UInt64
        /// `nil` once the client has it, and only the end of its exchange at QoS 2 is left.
        package var message: BrokerMessage?
        package var terms: DeliveryTerms
        /// `nil` while it waits in the queue.
        package var packetID: PacketID?

        package init(number: UInt64, message: BrokerMessage?, terms: DeliveryTerms, packetID: PacketID?) {
            self.number = number
            self.message = message
            self.terms = terms
            self.packetID = packetID
        }
    }

    /// What has changed of the messages at QoS 1 and 2.
    package enum Change: Sendable {
        /// There is one more.
        case added(Kept)
        /// One that waited has been written with that packet identifier.
        case sent(UInt64, PacketID)
        /// PUBREC came: the client has the message.
        case received(UInt64)
        /// The exchange is over, or the message was given up.
        case removed(UInt64)

        static func added(_ pending: Pending, _ packetID: PacketID?) -> Self {
            .added(
                Kept(number: pending.number, message: pending.message, terms: pending.terms, packetID: packetID))
        }
    }

    /// Whether changes are remembered until ``takeChanges()``.
    package var isKept: Bool {
        get { self.changes != nil }
        set { self.changes = newValue ? self.changes ?? [] : nil }
    }

    /// What has changed since the last time.
    package mutating func takeChanges() -> [Change] {
        guard self.changes?.isEmpty == false else { return [] }
        return exchange(&self.changes, with: []) ?? []
    }

    /// Remembers a change of a message that is not of QoS 0.
    mutating func record(_ change: @autoclosure () -> Change) {
        guard self.changes != nil else { return }
        let change = change()
        switch change {
        case .removed(0): break
        case .added(let kept) where kept.number == 0: break
        default: self.changes?.append(change)
        }
    }

    /// The number of a new message of that QoS.
    mutating func makeNumber(_ qos: QoS) -> UInt64 {
        guard qos > .atMostOnce else { return 0 }
        defer { self.nextNumber += 1 }
        return self.nextNumber
    }

    /// Takes up the messages that were kept, in a new session. Of two with the same packet identifier the first one counts.
    package mutating func restore(_ kept: [Kept]) {
        let kept = kept.sorted { $0.number < $1.number }
        self.nextNumber = (kept.last?.number ?? 0) &+ 1
        var inFlight: [(PacketID, OutgoingQoS<Pending>.Exchange)] = []
        var identifiers: Set<PacketID> = []
        for one in kept {
            if let id = one.packetID, !identifiers.insert(id).inserted { continue }
            switch (one.message, one.packetID) {
            case (let message?, let id?):
                let pending = Pending(message: message, terms: one.terms, number: one.number)
                inFlight.append((id, .publish(pending, .waiting)))
            case (let message?, nil):
                self.append(Pending(message: message, terms: one.terms, number: one.number))
            case (nil, let id?): inFlight.append((id, .release(one.number, .waiting, repetitions: 0)))
            case (nil, nil): break
            }
        }
        self.outgoing = OutgoingQoS(restoring: inFlight)
    }
}

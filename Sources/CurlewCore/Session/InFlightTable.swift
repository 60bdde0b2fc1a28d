/// Exchanges that wait for an acknowledgement, found by packet identifier in constant time.
///
/// The number of places is a power of two, and the last bits of an identifier determine its place: there is no search,
/// and no identifier is assigned while it is in use [MQTT-2.2.1-2]. A freed place goes to the end of a queue, with the
/// next identifier that belongs there. So identifiers rotate: one is not used again before many others, and a repeated
/// answer from the peer meets no other exchange.
///
/// Every element is in one of two lists, each in the order in which elements joined it, which is the order for
/// resending. The lists link identifiers; 0 means none.
struct InFlightTable<Element: Sendable>: Sendable {
    /// The list that an element is in.
    enum Lane: Sendable {
        /// PUBLISH, SUBSCRIBE or UNSUBSCRIBE sent, waiting for the first answer.
        case unanswered
        /// PUBREL sent, waiting for PUBCOMP.
        case released
    }

    /// How far an exchange has got. Stored beside the element, so that looking at it copies no element.
    struct Status: Sendable, Equatable {
        enum Stage: Sendable {
            /// PUBLISH at QoS 1, waiting for PUBACK.
            case atLeastOnce
            /// PUBLISH at QoS 2, waiting for PUBREC.
            case exactlyOnce
            /// PUBREL, waiting for PUBCOMP.
            case released
            /// SUBSCRIBE or UNSUBSCRIBE.
            case request
        }

        /// How an exchange relates to the current connection.
        enum Position: Sendable {
            /// Begun on an earlier connection, to be continued on this one or the next.
            case waiting
            /// Sent on this connection. Unless it is a request, it takes a place in the window.
            case sent
            /// Never sent again. The receiver may have seen it, so the identifier stays in use.
            case givenUp
        }

        var stage = Stage.request
        var position = Position.sent
        /// How often PUBREC has come again on this connection.
        var repetitions: UInt8 = 0
    }

    private struct Slot: Sendable {
        /// In use, or, without an element, the next one to use here; 0 for a place without an identifier.
        var id: UInt16 = 0
        var element: Element?
        var status = Status()
        var lane = Lane.unanswered
        var previous: UInt16 = 0
        /// The next identifier of the lane, or of the free places.
        var next: UInt16 = 0
    }

    private struct Ends {
        var head: UInt16 = 0
        var tail: UInt16 = 0
    }

    private var slots: [Slot] = []
    private var free = Ends()
    private var unanswered = Ends()
    private var released = Ends()
    /// The identifier from which new places are numbered.
    private var next: UInt16

    /// The number of identifiers in use.
    private(set) var count = 0

    /// Places for elements, in use or not.
    var places: Int { self.slots.count }

    /// A larger table frees its memory when it becomes empty.
    private static var idleCapacity: Int { 1024 }
    private static var smallestCapacity: Int { 4 }

    var isFull: Bool { self.count == Int(UInt16.max) }

    /// An empty table that starts with this identifier.
    init(first: PacketID? = nil) {
        self.next = first?.rawValue ?? 1
    }

    /// A table of elements that have identifiers already, all distinct.
    init(_ elements: [(id: PacketID, element: Element, lane: Lane)]) {
        self.init(first: elements.last.flatMap { PacketID(Self.successor($0.id.rawValue, step: 1)) })
        guard !elements.isEmpty else { return }
        // Enough places that no two elements need the same one.
        var capacity = Self.smallestCapacity
        while Set(elements.map { Int($0.id.rawValue) & (capacity - 1) }).count < elements.count { capacity *= 2 }
        self.slots = Array(repeating: Slot(), count: capacity)
        for (id, element, lane) in elements {
            self.slots[self.place(id.rawValue)].id = id.rawValue
            self.slots[self.place(id.rawValue)].element = element
            self.link(id.rawValue, lane)
        }
        self.count = elements.count
        self.numberFreePlaces()
    }

    private func place(_ id: UInt16) -> Int { Int(id) & (self.slots.count - 1) }

    /// The place of an identifier, if it is in use.
    private func placeInUse(_ id: PacketID) -> Int? {
        guard !self.slots.isEmpty else { return nil }
        let place = self.place(id.rawValue)
        return self.slots[place].id == id.rawValue && self.slots[place].element != nil ? place : nil
    }

    /// The element of that identifier, if it is in use.
    subscript(id: PacketID) -> Element? {
        self.placeInUse(id).flatMap { self.slots[$0].element }
    }

    /// The status of that identifier, if it is in use.
    func status(_ id: PacketID) -> Status? { self.placeInUse(id).map { self.slots[$0].status } }

    /// Changes the status of an identifier in use.
    mutating func setStatus(_ id: PacketID, _ status: Status) {
        if let place = self.placeInUse(id) { self.slots[place].status = status }
    }

    /// Replaces the element of an identifier in use, and returns the former one.
    @discardableResult
    mutating func replace(_ id: PacketID, with element: Element) -> Element? {
        guard let place = self.placeInUse(id) else { return nil }
        return exchange(&self.slots[place].element, with: element)
    }

    /// Assigns a free identifier, or returns `nil` when all 65,535 are in use.
    mutating func insert(_ element: Element, _ status: Status = Status()) -> PacketID? {
        if self.free.head == 0 { self.grow() }
        guard let id = PacketID(self.free.head) else { return nil }
        let place = self.place(id.rawValue)
        self.free.head = self.slots[place].next
        if self.free.head == 0 { self.free.tail = 0 }
        self.slots[place].element = element
        self.slots[place].status = status
        self.next = Self.successor(id.rawValue, step: 1)
        self.count += 1
        self.link(id.rawValue, .unanswered)
        return id
    }

    /// Frees an identifier and returns its element.
    mutating func remove(_ id: PacketID) -> Element? {
        guard let place = self.placeInUse(id) else { return nil }
        self.unlink(id.rawValue)
        let element = self.slots[place].element.take()
        self.slots[place].id = Self.successor(id.rawValue, step: self.slots.count)
        self.append(toFree: place)
        self.count -= 1
        if self.count == 0, self.slots.count > Self.idleCapacity { self = Self(first: PacketID(self.next)) }
        return element
    }

    /// Moves an element in use to the end of the released lane.
    mutating func moveToReleased(_ id: PacketID) {
        guard self.placeInUse(id) != nil else { return }
        self.unlink(id.rawValue)
        self.link(id.rawValue, .released)
    }

    /// The identifiers of a lane, in the order in which they joined it.
    func identifiers(in lane: Lane) -> [PacketID] {
        var found: [PacketID] = []
        var next = lane == .unanswered ? self.unanswered.head : self.released.head
        while let id = PacketID(next) {
            found.append(id)
            next = self.slots[self.place(next)].next
        }
        return found
    }

    // MARK: Places

    /// The next identifier of the same place, if the step is the number of places.
    private static func successor(_ id: UInt16, step: Int) -> UInt16 {
        // After the last identifier they start again; 0 is none.
        let next = UInt16(truncatingIfNeeded: Int(id) + step)
        return next == 0 ? UInt16(truncatingIfNeeded: step) : next
    }

    /// Doubles the places, all of which are in use. Identifiers in use keep their elements and lanes.
    private mutating func grow() {
        let capacity = max(Self.smallestCapacity, self.slots.count * 2)
        guard capacity <= Int(UInt16.max) + 1 else { return }
        let used = self.slots
        self.slots = Array(repeating: Slot(), count: capacity)
        for slot in used where slot.element != nil { self.slots[self.place(slot.id)] = slot }
        self.numberFreePlaces()
    }

    /// Numbers the places without an identifier, so that they are used in this order.
    private mutating func numberFreePlaces() {
        var id = self.next
        // If the numbers wrap around meanwhile, the place of 0 has to wait for the next identifier that belongs there.
        for _ in 0..<(2 * self.slots.count) {
            let place = self.place(id)
            if self.slots[place].element == nil, self.slots[place].id == 0 {
                self.slots[place].id = id
                self.append(toFree: place)
            }
            id = Self.successor(id, step: 1)
        }
    }

    private mutating func append(toFree place: Int) {
        let id = self.slots[place].id
        guard id != 0 else { return }
        self.slots[place].next = 0
        if self.free.tail == 0 { self.free.head = id } else { self.slots[self.place(self.free.tail)].next = id }
        self.free.tail = id
    }

    private mutating func link(_ id: UInt16, _ lane: Lane) {
        var ends = lane == .unanswered ? self.unanswered : self.released
        let place = self.place(id)
        self.slots[place].lane = lane
        self.slots[place].previous = ends.tail
        self.slots[place].next = 0
        if ends.tail == 0 { ends.head = id } else { self.slots[self.place(ends.tail)].next = id }
        ends.tail = id
        if lane == .unanswered { self.unanswered = ends } else { self.released = ends }
    }

    private mutating func unlink(_ id: UInt16) {
        let slot = self.slots[self.place(id)]
        var ends = slot.lane == .unanswered ? self.unanswered : self.released
        if slot.previous == 0 { ends.head = slot.next } else { self.slots[self.place(slot.previous)].next = slot.next }
        if slot.next == 0 {
            ends.tail = slot.previous
        } else {
            self.slots[self.place(slot.next)].previous = slot.previous
        }
        if slot.lane == .unanswered { self.unanswered = ends } else { self.released = ends }
    }
}

/// What waits for an acknowledgement, found by packet identifier in constant time.
///
/// The packet identifier is the place in the table plus one, so there is nothing to look up and no identifier can be
/// given out while it is in use [MQTT-2.2.1-2]. Freed places are reused in the order in which they came free. Every
/// element is in one of two lists, each in the order of joining it: that order is what resending needs.
struct InFlightTable<Element: Sendable>: Sendable {
    /// The list that an element is in.
    enum Lane: Sendable {
        /// PUBLISH, SUBSCRIBE or UNSUBSCRIBE sent, not yet answered.
        case first
        /// PUBREL sent, PUBCOMP not yet come.
        case second
    }

    private struct Slot: Sendable {
        var element: Element?
        var lane = Lane.first
        var previous: Int32 = -1
        /// The next of the lane, or of the free places.
        var next: Int32 = -1
    }

    private struct Ends {
        var head: Int32 = -1
        var tail: Int32 = -1
    }

    private var slots: [Slot] = []
    private var free = Ends()
    private var first = Ends()
    private var second = Ends()

    /// How many identifiers are in use.
    private(set) var count = 0

    /// Places for elements, in use or not.
    var places: Int { self.slots.count }

    /// When nothing is in flight any more, a table that had grown beyond this gives its memory back.
    private static var idleCapacity: Int { 1024 }

    var isFull: Bool { self.count == Int(UInt16.max) }

    /// The element of that identifier, if it is in use.
    subscript(id: PacketID) -> Element? {
        let index = Int(id.rawValue) - 1
        return index < self.slots.count ? self.slots[index].element : nil
    }

    /// Puts another element in the place of one in use.
    mutating func replace(_ id: PacketID, with element: Element) {
        let index = Int(id.rawValue) - 1
        guard index < self.slots.count, self.slots[index].element != nil else { return }
        self.slots[index].element = element
    }

    /// Takes an identifier that is free, or returns `nil` when all 65,535 are in use.
    mutating func insert(_ element: Element) -> PacketID? {
        let index: Int32
        if self.free.head >= 0 {
            index = self.free.head
            self.free.head = self.slots[Int(index)].next
            if self.free.head < 0 { self.free.tail = -1 }
            self.slots[Int(index)].element = element
        } else {
            guard self.slots.count < Int(UInt16.max) else { return nil }
            index = Int32(self.slots.count)
            self.slots.append(Slot(element: element))
        }
        self.count += 1
        self.link(index, .first)
        return PacketID(UInt16(index + 1))
    }

    /// Frees an identifier and returns what it stood for.
    mutating func remove(_ id: PacketID) -> Element? {
        let index = Int(id.rawValue) - 1
        guard index < self.slots.count, let element = self.slots[index].element else { return nil }
        self.unlink(Int32(index))
        self.slots[index].element = nil
        self.slots[index].next = -1
        if self.free.tail >= 0 {
            self.slots[Int(self.free.tail)].next = Int32(index)
        } else {
            self.free.head = Int32(index)
        }
        self.free.tail = Int32(index)
        self.count -= 1
        if self.count == 0, self.slots.count > Self.idleCapacity { self = Self() }
        return element
    }

    /// Moves an element in use to the end of the second lane.
    mutating func moveToSecondLane(_ id: PacketID) {
        let index = Int(id.rawValue) - 1
        guard index < self.slots.count, self.slots[index].element != nil else { return }
        self.unlink(Int32(index))
        self.link(Int32(index), .second)
    }

    /// The identifiers of a lane, in the order in which they joined it.
    func identifiers(in lane: Lane) -> [PacketID] {
        var found: [PacketID] = []
        var index = lane == .first ? self.first.head : self.second.head
        while index >= 0 {
            if let id = PacketID(UInt16(index + 1)) { found.append(id) }
            index = self.slots[Int(index)].next
        }
        return found
    }

    private mutating func link(_ index: Int32, _ lane: Lane) {
        var ends = lane == .first ? self.first : self.second
        self.slots[Int(index)].lane = lane
        self.slots[Int(index)].previous = ends.tail
        self.slots[Int(index)].next = -1
        if ends.tail >= 0 { self.slots[Int(ends.tail)].next = index } else { ends.head = index }
        ends.tail = index
        if lane == .first { self.first = ends } else { self.second = ends }
    }

    private mutating func unlink(_ index: Int32) {
        let slot = self.slots[Int(index)]
        var ends = slot.lane == .first ? self.first : self.second
        if slot.previous >= 0 { self.slots[Int(slot.previous)].next = slot.next } else { ends.head = slot.next }
        if slot.next >= 0 { self.slots[Int(slot.next)].previous = slot.previous } else { ends.tail = slot.previous }
        if slot.lane == .first { self.first = ends } else { self.second = ends }
    }
}

import CurlewCore

/// A map from request identifiers to values.
///
/// A hash table with linear probing. Its size is a power of two, and at most half of its places are taken. Request
/// identifiers count up, are added and removed up to millions of times per second, and cannot be chosen by an attacker.
/// Therefore a multiplication suffices as hash function; the keyed hash function of `Dictionary` would be slower.
struct RequestTable<Value> {
    private struct Place {
        var request: RequestID
        var value: Value
    }

    private var places: [Place?] = []
    /// The number of bits to shift the product by, to get the index of a place.
    private var shift: UInt64 = 0
    private(set) var count = 0

    /// A table with more places than this frees its memory when it becomes empty.
    private static var idleCapacity: Int { 4096 }

    /// The value of a request.
    subscript(request: RequestID) -> Value? {
        guard let index = self.index(of: request) else { return nil }
        return self.places[index]?.value
    }

    /// Inserts a value, or replaces the existing one.
    mutating func insert(_ value: Value, for request: RequestID) {
        if self.count * 2 >= self.places.count { self.grow() }
        var index = self.home(of: request)
        while let place = self.places[index], place.request != request { index = self.next(index) }
        if self.places[index] == nil { self.count += 1 }
        self.places[index] = Place(request: request, value: value)
    }

    /// Removes and returns the value of a request.
    @discardableResult
    mutating func remove(_ request: RequestID) -> Value? {
        guard var hole = self.index(of: request) else { return nil }
        let value = self.places[hole]?.value
        self.count -= 1
        // Move each following entry into the hole if its home is at the hole or before it.
        var index = self.next(hole)
        while let place = self.places[index] {
            let mask = self.places.count - 1
            let distance = (index - self.home(of: place.request)) & mask
            if distance >= (index - hole) & mask {
                self.places[hole] = place
                hole = index
            }
            index = self.next(index)
        }
        self.places[hole] = nil
        if self.count == 0, self.places.count > Self.idleCapacity { self = Self() }
        return value
    }

    private func index(of request: RequestID) -> Int? {
        guard self.count > 0 else { return nil }
        var index = self.home(of: request)
        while let place = self.places[index] {
            if place.request == request { return index }
            index = self.next(index)
        }
        return nil
    }

    /// The index of a request's place if there is no collision.
    private func home(of request: RequestID) -> Int {
        Int(truncatingIfNeeded: (request.rawValue &* 0x9E37_79B9_7F4A_7C15) >> self.shift)
    }

    private func next(_ index: Int) -> Int { (index + 1) & (self.places.count - 1) }

    private mutating func grow() {
        let old = self.places
        let size = max(8, old.count * 2)
        self.places = Array(repeating: nil, count: size)
        self.shift = UInt64(64 - size.trailingZeroBitCount)
        self.count = 0
        for case .some(let place) in old { self.insert(place.value, for: place.request) }
    }
}

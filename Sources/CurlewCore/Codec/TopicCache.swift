/// Recently received, validated topics: a repeated topic is found by its bytes, and costs no allocation.
///
/// A table with two distant places for each hash. If both are taken, the new topic moves one of the topics there to
/// its other place, so that a few topics seldom contend for the same places repeatedly. Its content is bounded by
/// ``maximumCount`` topics of ``longestTopic`` bytes, whatever the peer sends. It is empty until the first topic,
/// and grows only when topics have to be evicted.
package struct TopicCache: Sendable {
    static let maximumCount = 1024
    /// Longer topics are not cached.
    static let longestTopic = 256
    private static let initialCount = 16

    private struct Entry {
        var hash: UInt64
        var topic: TopicName

        /// An entry in a table that may be half empty, and the text.
        var byteCount: Int { 64 + self.topic.string.utf8.count }
    }

    /// Empty, or a power of two.
    private var entries: [Entry?] = []
    private var evictions = 0
    /// The approximate size of the topics.
    private(set) var byteCount = 0

    package init() {}

    /// The number of places.
    var capacity: Int { self.entries.count }

    /// The topic with these bytes, if it is cached.
    @inline(__always)
    func topic(_ bytes: UnsafeRawBufferPointer, hash: UInt64) -> TopicName? {
        guard !self.entries.isEmpty else { return nil }
        let (first, second) = Self.places(hash, of: self.entries.count)
        return self.topic(bytes, hash: hash, at: first) ?? self.topic(bytes, hash: hash, at: second)
    }

    @inline(__always)
    private func topic(_ bytes: UnsafeRawBufferPointer, hash: UInt64, at place: Int) -> TopicName? {
        guard let entry = self.entries[place], entry.hash == hash, Self.isEqual(entry.topic.string, bytes) else {
            return nil
        }
        return entry.topic
    }

    /// Caches `topic`, which has `hash`.
    mutating func insert(_ topic: TopicName, hash: UInt64) {
        guard topic.string.utf8.count <= Self.longestTopic else { return }
        if self.entries.isEmpty { self.entries = Array(repeating: nil, count: Self.initialCount) }
        let entry = Entry(hash: hash, topic: topic)
        self.byteCount += entry.byteCount
        if self.put(entry) {
            self.evictions += 1
            if self.evictions > self.entries.count / 4, self.entries.count < Self.maximumCount { self.grow() }
        }
    }

    /// Puts an entry into one of its two places. Returns whether another one was evicted.
    private mutating func put(_ entry: Entry) -> Bool {
        let (first, second) = Self.places(entry.hash, of: self.entries.count)
        guard let former = self.entries[first] else {
            self.entries[first] = entry
            return false
        }
        guard self.entries[second] != nil else {
            self.entries[second] = entry
            return false
        }
        self.entries[first] = entry
        let places = Self.places(former.hash, of: self.entries.count)
        let other = places.first == first ? places.second : places.first
        guard other != first else {
            self.byteCount -= former.byteCount
            return true
        }
        let lost = self.entries[other]
        self.entries[other] = former
        if let lost { self.byteCount -= lost.byteCount }
        return lost != nil
    }

    private mutating func grow() {
        self.evictions = 0
        let smaller = self.entries
        self.entries = Array(repeating: nil, count: smaller.count * 2)
        for case .some(let entry) in smaller { _ = self.put(entry) }
    }

    @inline(__always)
    private static func places(_ hash: UInt64, of count: Int) -> (first: Int, second: Int) {
        let mask = count &- 1
        return (Int(truncatingIfNeeded: hash >> 32) & mask, Int(truncatingIfNeeded: hash >> 48) & mask)
    }

    /// Eight bytes at a time. A peer that sends colliding topics only makes them evict each other.
    @inline(__always)
    static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash = UInt64(truncatingIfNeeded: bytes.count) &* 0x9E37_79B9_7F4A_7C15
        var offset = 0
        while bytes.count - offset >= 8 {
            Self.mix(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self), into: &hash)
            offset += 8
        }
        var last: UInt64 = 0
        while offset < bytes.count {
            last = last << 8 | UInt64(bytes[offset])
            offset += 1
        }
        Self.mix(last, into: &hash)
        return hash
    }

    @inline(__always)
    private static func mix(_ word: UInt64, into hash: inout UInt64) {
        let (high, low) = (hash ^ word).multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
        hash = high ^ low ^ word
    }

    /// By bytes: strings compare by canonical equivalence, which topics must not [MQTT-4.7.3-4].
    @inline(__always)
    private static func isEqual(_ string: String, _ bytes: UnsafeRawBufferPointer) -> Bool {
        guard string.utf8.count == bytes.count else { return false }
        let isEqual = string.utf8.withContiguousStorageIfAvailable { Self.isEqual(UnsafeRawBufferPointer($0), bytes) }
        return isEqual ?? string.utf8.elementsEqual(bytes)
    }

    /// Both have the same size.
    @inline(__always)
    private static func isEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        var offset = 0
        while right.count - offset >= 8 {
            let one = left.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            guard one == right.loadUnaligned(fromByteOffset: offset, as: UInt64.self) else { return false }
            offset += 8
        }
        while offset < right.count {
            guard left[offset] == right[offset] else { return false }
            offset += 1
        }
        return true
    }
}

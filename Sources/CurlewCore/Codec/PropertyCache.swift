/// Recently decoded short property lists of PUBLISH packets: most senders repeat the same list with every message
/// (a subscription identifier, a content type), and a repeated list costs no allocation.
///
/// Bounded by ``maximumCount`` lists of ``longestList`` bytes, whatever the peer sends; empty until the first list.
struct PropertyCache: Sendable {
    static let maximumCount = 16
    /// Longer lists are not cached.
    static let longestList = 32

    /// The encoded bytes of a list.
    struct Key: Equatable, Sendable {
        private var words: SIMD4<UInt64> = .zero
        private var count: Int

        init?(_ bytes: UnsafeRawBufferPointer) {
            guard !bytes.isEmpty, bytes.count <= PropertyCache.longestList else { return nil }
            self.count = bytes.count
            withUnsafeMutableBytes(of: &self.words) { $0.copyMemory(from: bytes) }
        }

        fileprivate var place: Int {
            let sum = self.words[0] ^ self.words[1] &* 31 ^ self.words[2] &* 961 ^ self.words[3] &* 29_791
            return Int(truncatingIfNeeded: (sum &* 0x9E37_79B9_7F4A_7C15) >> 60) & (PropertyCache.maximumCount - 1)
        }
    }

    private struct Entry {
        let key: Key
        let properties: Properties
        let topicAlias: UInt16?
    }

    private var entries: [Entry?] = []

    /// The approximate size in memory: a list has a few properties.
    var byteCount: Int { self.entries.count * 512 }

    /// The decoded list of these bytes, if it is cached.
    @inline(__always)
    func find(_ key: Key) -> (properties: Properties, topicAlias: UInt16?)? {
        guard !self.entries.isEmpty, let entry = self.entries[key.place], entry.key == key else { return nil }
        return (entry.properties, entry.topicAlias)
    }

    /// Caches a decoded list, in place of another.
    mutating func insert(_ key: Key, _ properties: Properties, topicAlias: UInt16?) {
        if self.entries.isEmpty { self.entries = Array(repeating: nil, count: Self.maximumCount) }
        self.entries[key.place] = Entry(key: key, properties: properties, topicAlias: topicAlias)
    }
}

// Topics are compared byte by byte: MQTT forbids the normalisation [MQTT-4.7.3-4] that `String`'s own `==` and `<`
// perform, under which "é" in one scalar and "é" in two are equal. ``ExactText`` does the same for other texts.

/// The bytes with a meaning in topics.
enum TopicByte {
    static let null = UInt8(0)
    static let multiLevelWildcard = UInt8(ascii: "#")
    static let singleLevelWildcard = UInt8(ascii: "+")
    static let separator = UInt8(ascii: "/")
    static let dollar = UInt8(ascii: "$")
}

extension String {
    /// Calls `body` with the UTF-8 bytes in place. Only a string bridged from Objective-C is copied.
    @inline(__always)
    func withUTF8Bytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) throws -> Result) rethrows -> Result {
        if let result = try self.utf8.withContiguousStorageIfAvailable(body) { return result }
        var copy = self
        return try copy.withUTF8(body)
    }

    package func hasSameBytes(as other: String) -> Bool {
        self.withUTF8Bytes { left in other.withUTF8Bytes { right in left.hasSameBytes(as: right) } }
    }

    func precedesBytewise(_ other: String) -> Bool {
        self.withUTF8Bytes { left in other.withUTF8Bytes { right in left.lexicographicallyPrecedes(right) } }
    }

    func hashBytes(into hasher: inout Hasher) {
        self.withUTF8Bytes { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// Whether both hold the same bytes, read eight at a time.
    func hasSameBytes(as other: Self) -> Bool {
        guard self.count == other.count else { return false }
        guard self.baseAddress != other.baseAddress else { return true }
        let (left, right) = (UnsafeRawBufferPointer(self), UnsafeRawBufferPointer(other))
        var offset = 0
        while offset &+ 8 <= left.count {
            let words = (
                left.loadUnaligned(fromByteOffset: offset, as: UInt64.self),
                right.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            )
            guard words.0 == words.1 else { return false }
            offset &+= 8
        }
        while offset < left.count {
            guard left[offset] == right[offset] else { return false }
            offset &+= 1
        }
        return true
    }
}

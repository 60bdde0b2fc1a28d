/// The filter of a subscription (MQTT 5.0 section 4.7): a topic name whose levels may be `+` (any one level) and
/// whose last level may be `#` (the parent level and everything below), optionally shared as
/// `$share/{name}/{filter}` (section 4.8.2).
///
/// Two filters are equal when their UTF-8 bytes are; nothing is normalised, and case matters [MQTT-4.7.3-4].
public struct TopicFilter: Sendable {
    /// The whole filter as sent on the wire, with `$share/{name}/` if it is shared.
    public let string: String

    /// Whether ``filter`` contains `+` or `#`.
    public let hasWildcards: Bool

    /// Where ``filter`` begins in the bytes of `string`: 0 unless shared.
    private let start: UInt16

    /// Makes a topic filter.
    ///
    /// - Parameter string: 1 to 65,535 bytes of UTF-8 without U+0000. `+` must be a whole level, `#` the whole last
    ///   level. A shared filter has a non-empty share name without wildcards, followed by a filter.
    /// - Throws: ``TopicError`` when the text breaks one of these rules.
    public init(_ string: String) throws(TopicError) {
        switch string.withUTF8Bytes(Self.parse) {
        case .valid(let start, let hasWildcards):
            self.string = string
            self.start = start
            self.hasWildcards = hasWildcards
        case .invalid(let problem):
            throw TopicError(subject: .filter, problem: problem, topic: string)
        }
    }

    /// The filter that matches only this topic. Its text is never interpreted as a shared subscription.
    package init(exactly topic: TopicName) {
        self.string = topic.string
        self.hasWildcards = false
        self.start = 0
    }

    /// Whether this is a shared subscription, each message of which goes to only one subscriber.
    public var isShared: Bool { self.start > 0 }

    /// The name of the group that shares the subscription, or `nil` if it is not shared.
    public var shareName: String? {
        guard self.isShared else { return nil }
        return String(self.string.utf8.dropFirst(Self.sharePrefix.count).prefix { $0 != TopicByte.separator })
    }

    /// The filter to compare with topics: without `$share/{name}/`.
    public var filter: String {
        self.isShared ? String(self.string.utf8.dropFirst(Int(self.start))) ?? "" : self.string
    }

    /// Whether a message published to `topic` belongs to this subscription.
    ///
    /// A filter that begins with a wildcard does not match a topic that begins with `$` [MQTT-4.7.2-1], and `a/#`
    /// matches `a`.
    public func matches(_ topic: TopicName) -> Bool {
        self.withFilterBytes { filter in topic.string.withUTF8Bytes { Self.matches(filter, $0) } }
    }

    /// Calls `body` with the bytes of ``filter`` in place.
    @inline(__always)
    func withFilterBytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) throws -> Result) rethrows -> Result {
        try self.string.withUTF8Bytes { try body(UnsafeBufferPointer(rebasing: $0.dropFirst(Int(self.start)))) }
    }

    private static let sharePrefix = "$share/".utf8
}

extension TopicFilter: Hashable {
    /// Whether both have the same UTF-8 bytes.
    public static func == (left: Self, right: Self) -> Bool { left.string.hasSameBytes(as: right.string) }

    /// Hashes the UTF-8 bytes.
    public func hash(into hasher: inout Hasher) { self.string.hashBytes(into: &hasher) }
}

extension TopicFilter: Comparable {
    /// Orders by the UTF-8 bytes.
    public static func < (left: Self, right: Self) -> Bool { left.string.precedesBytewise(right.string) }
}

extension TopicFilter: CustomStringConvertible {
    /// The filter as sent on the wire.
    public var description: String { self.string }
}

extension TopicFilter {
    private enum Parsed {
        case valid(start: UInt16, hasWildcards: Bool)
        case invalid(TopicError.Problem)
    }

    private static func parse(_ bytes: UnsafeBufferPointer<UInt8>) -> Parsed {
        guard !bytes.isEmpty else { return .invalid(.empty) }
        guard bytes.count <= TopicError.maximumLength else { return .invalid(.tooLong) }
        var start = 0
        if bytes.starts(with: Self.sharePrefix) {
            start = Self.sharePrefix.count
            name: while start < bytes.count {
                switch bytes[start] {
                case TopicByte.separator: break name
                case TopicByte.multiLevelWildcard, TopicByte.singleLevelWildcard: return .invalid(.shareNameHasWildcard)
                case TopicByte.null: return .invalid(.containsNull)
                default: start &+= 1
                }
            }
            guard start > Self.sharePrefix.count else { return .invalid(.shareNameEmpty) }  // [MQTT-4.8.2-1]
            guard start &+ 1 < bytes.count else { return .invalid(.shareWithoutFilter) }  // [MQTT-4.8.2-2]
            start &+= 1
        }
        var hasWildcards = false
        for index in start..<bytes.count where bytes[index] <= TopicByte.singleLevelWildcard {
            let beginsLevel = index == start || bytes[index &- 1] == TopicByte.separator
            let isLast = index &+ 1 == bytes.count
            let endsLevel = isLast || bytes[index &+ 1] == TopicByte.separator
            switch bytes[index] {
            case TopicByte.null:
                return .invalid(.containsNull)
            case TopicByte.multiLevelWildcard:
                guard beginsLevel, endsLevel else { return .invalid(.multiLevelWildcardNotAlone) }
                guard isLast else { return .invalid(.multiLevelWildcardNotLast) }
                hasWildcards = true
            case TopicByte.singleLevelWildcard:
                guard beginsLevel, endsLevel else { return .invalid(.singleLevelWildcardNotAlone) }
                hasWildcards = true
            default:
                continue
            }
        }
        return .valid(start: UInt16(start), hasWildcards: hasWildcards)
    }

    /// Scans both texts once. Every wildcard in `filter` is a whole level, so finding one means that a level
    /// begins.
    private static func matches(_ filter: UnsafeBufferPointer<UInt8>, _ topic: UnsafeBufferPointer<UInt8>) -> Bool {
        if topic.first == TopicByte.dollar, filter.first != TopicByte.dollar { return false }
        var (at, position) = (0, 0)
        while at < filter.count {
            switch filter[at] {
            case TopicByte.multiLevelWildcard:
                return true
            case TopicByte.singleLevelWildcard:
                while position < topic.count, topic[position] != TopicByte.separator { position &+= 1 }
            case let byte:
                guard position < topic.count else {
                    // The topic is the parent of "/#".
                    return byte == TopicByte.separator && at &+ 1 < filter.count
                        && filter[at &+ 1] == TopicByte.multiLevelWildcard
                }
                guard topic[position] == byte else { return false }
                position &+= 1
            }
            at &+= 1
        }
        return position == topic.count
    }
}

/// The topic that a message is published to (MQTT 5.0 section 4.7): levels separated by `/`, without wildcards.
///
/// Two names are equal when their UTF-8 bytes are; nothing is normalised, and case matters [MQTT-4.7.3-4].
public struct TopicName: Sendable {
    /// The name as sent on the wire.
    public let string: String

    /// Makes a topic name.
    ///
    /// - Parameter string: 1 to 65,535 bytes of UTF-8 without `+`, `#` and U+0000.
    /// - Throws: ``TopicError`` when the text breaks one of these rules.
    public init(_ string: String) throws(TopicError) {
        if let problem = string.withUTF8Bytes(Self.problem(in:)) {
            throw TopicError(subject: .name, problem: problem, topic: string)
        }
        self.string = string
    }

    /// Wraps a string that is known to be a topic name.
    package init(unchecked string: String) { self.string = string }

    /// Why these bytes, which are valid UTF-8, are not a topic name. All relevant characters are ASCII, so one scan
    /// of the bytes decides for every script.
    package static func problem(in bytes: UnsafeBufferPointer<UInt8>) -> TopicError.Problem? {
        guard !bytes.isEmpty else { return .empty }
        guard bytes.count <= TopicError.maximumLength else { return .tooLong }
        for byte in bytes where byte <= TopicByte.singleLevelWildcard {
            switch byte {
            case TopicByte.null: return .containsNull
            case TopicByte.multiLevelWildcard, TopicByte.singleLevelWildcard: return .wildcardInName
            default: continue
            }
        }
        return nil
    }
}

extension TopicName: Hashable {
    /// Whether both have the same UTF-8 bytes.
    public static func == (left: Self, right: Self) -> Bool { left.string.hasSameBytes(as: right.string) }

    /// Hashes the UTF-8 bytes.
    public func hash(into hasher: inout Hasher) { self.string.hashBytes(into: &hasher) }
}

extension TopicName: Comparable {
    /// Orders by the UTF-8 bytes.
    public static func < (left: Self, right: Self) -> Bool { left.string.precedesBytewise(right.string) }
}

extension TopicName: CustomStringConvertible {
    /// The name as sent on the wire.
    public var description: String { self.string }
}

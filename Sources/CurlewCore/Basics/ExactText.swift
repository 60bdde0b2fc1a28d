/// A text that is compared byte by byte, as MQTT compares client identifiers, user names and property names.
///
/// `String` treats `é` as one scalar and `é` as two scalars as equal. As dictionary keys, two clients that MQTT
/// distinguishes would then share a session, rules and passwords.
public struct ExactText: Sendable {
    /// The text itself.
    public let string: String

    /// Makes a value that compares the UTF-8 bytes of `string`.
    public init(_ string: String) { self.string = string }
}

extension ExactText: Hashable {
    /// Whether both have the same UTF-8 bytes.
    public static func == (left: Self, right: Self) -> Bool { left.string.hasSameBytes(as: right.string) }

    /// Hashes the UTF-8 bytes.
    public func hash(into hasher: inout Hasher) { self.string.hashBytes(into: &hasher) }
}

extension ExactText: Comparable {
    /// Orders by the UTF-8 bytes.
    public static func < (left: Self, right: Self) -> Bool { left.string.precedesBytewise(right.string) }
}

extension ExactText: ExpressibleByStringLiteral {
    /// Makes a value of a literal.
    public init(stringLiteral value: String) { self.init(value) }
}

extension ExactText: CustomStringConvertible {
    /// The text itself.
    public var description: String { self.string }
}

extension Optional<String> {
    /// Whether both are absent, or have the same UTF-8 bytes.
    package func hasSameBytes(as other: String?) -> Bool {
        switch (self, other) {
        case (let left?, let right?): left.hasSameBytes(as: right)
        case (nil, nil): true
        case (nil, _?), (_?, nil): false
        }
    }
}

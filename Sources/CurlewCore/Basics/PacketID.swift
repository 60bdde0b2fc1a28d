/// A packet identifier: never 0 [MQTT-2.2.1-3]; where a packet has none, it is `nil` (MQTT 5.0 section 2.2.1).
public struct PacketID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The identifier as it stands on the wire, 1…65535.
    public let rawValue: UInt16

    /// Makes a packet identifier, or `nil` for 0, which the standard forbids.
    public init?(_ rawValue: UInt16) {
        guard rawValue != 0 else { return nil }
        self.rawValue = rawValue
    }

    /// The number.
    public var description: String { String(self.rawValue) }

    /// By number; the order says nothing about time, for identifiers are used again.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

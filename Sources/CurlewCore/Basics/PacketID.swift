/// A packet identifier (MQTT 5.0 section 2.2.1). Never 0 [MQTT-2.2.1-3]; a packet without one has `nil`.
public struct PacketID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The identifier on the wire, 1…65535.
    public let rawValue: UInt16

    /// Creates a packet identifier, or `nil` for 0, which the standard forbids.
    public init?(_ rawValue: UInt16) {
        guard rawValue != 0 else { return nil }
        self.rawValue = rawValue
    }

    /// The number.
    public var description: String { String(self.rawValue) }

    /// By number. The order says nothing about time, because identifiers are reused.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

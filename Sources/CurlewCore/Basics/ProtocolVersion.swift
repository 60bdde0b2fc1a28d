/// A version of the MQTT protocol, as the CONNECT packet names it (MQTT 5.0 section 3.1.2.2).
///
/// Curlew has one set of types for all versions, the superset of 5.0. The version is an argument of encoding and
/// decoding.
public enum ProtocolVersion: UInt8, Sendable, Hashable, CaseIterable, Comparable {
    /// MQTT 3.1, whose CONNECT says `MQIsdp` and level 3.
    case v3_1 = 3
    /// MQTT 3.1.1, the OASIS and ISO standard of 2014: `MQTT` and level 4.
    case v3_1_1 = 4
    /// MQTT 5.0, the OASIS standard of 2019: `MQTT` and level 5.
    case v5_0 = 5

    /// Older versions come first.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension ProtocolVersion: CustomStringConvertible {
    /// The version as users write it: `3.1`, `3.1.1` or `5.0`.
    public var description: String {
        switch self {
        case .v3_1: "3.1"
        case .v3_1_1: "3.1.1"
        case .v5_0: "5.0"
        }
    }
}

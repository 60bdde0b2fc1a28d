/// Quality of service: the guarantee for the delivery of a message (MQTT 5.0 section 4.3).
public enum QoS: UInt8, Sendable, Hashable, CaseIterable, Comparable, Codable {
    /// QoS 0: sent once and never acknowledged; lost if the connection is lost.
    case atMostOnce = 0
    /// QoS 1: sent until acknowledged; may arrive more than once.
    case atLeastOnce = 1
    /// QoS 2: arrives exactly once, at the cost of two round trips.
    case exactlyOnce = 2

    /// Lower quality of service comes first.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// The fifteen control packets, by the number that the first half of their first byte holds (MQTT 5.0 section 2.1.2).
package enum PacketType: UInt8, Sendable, Hashable, CaseIterable, CustomStringConvertible {
    case connect = 1
    case connack = 2
    case publish = 3
    case puback = 4
    case pubrec = 5
    case pubrel = 6
    case pubcomp = 7
    case subscribe = 8
    case suback = 9
    case unsubscribe = 10
    case unsuback = 11
    case pingreq = 12
    case pingresp = 13
    case disconnect = 14
    case auth = 15

    /// The name as the standard writes it.
    package var description: String {
        switch self {
        case .connect: "CONNECT"
        case .connack: "CONNACK"
        case .publish: "PUBLISH"
        case .puback: "PUBACK"
        case .pubrec: "PUBREC"
        case .pubrel: "PUBREL"
        case .pubcomp: "PUBCOMP"
        case .subscribe: "SUBSCRIBE"
        case .suback: "SUBACK"
        case .unsubscribe: "UNSUBSCRIBE"
        case .unsuback: "UNSUBACK"
        case .pingreq: "PINGREQ"
        case .pingresp: "PINGRESP"
        case .disconnect: "DISCONNECT"
        case .auth: "AUTH"
        }
    }

    /// The flags in the second half of the first byte, for every packet except PUBLISH, whose flags vary
    /// [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1].
    var reservedFlags: UInt8 {
        switch self {
        case .pubrel, .subscribe, .unsubscribe: 0b0010
        default: 0
        }
    }

    /// The first byte, for every packet except PUBLISH.
    var firstByte: UInt8 { self.rawValue << 4 | self.reservedFlags }

    /// Whether the first byte of a packet of this type may have these flags [MQTT-2.1.3-1].
    @inline(__always)
    func allows(flags: UInt8, version: ProtocolVersion) -> Bool {
        switch self {
        case .publish: true
        case .pubrel, .subscribe, .unsubscribe:
            // MQTT 3.1 (section 2.1) allows sending these again with DUP set; later versions do not.
            flags == self.reservedFlags || version == .v3_1 && flags == self.reservedFlags | 0b1000
        default: flags == 0
        }
    }

    /// Whether this end of a connection may send packets of this type (MQTT 5.0 table 2-1).
    @inline(__always)
    func isSent(by sender: PacketSender, version: ProtocolVersion) -> Bool {
        switch self {
        case .publish, .puback, .pubrec, .pubrel, .pubcomp, .auth: true
        case .connect, .subscribe, .unsubscribe, .pingreq: sender == .client
        case .connack, .suback, .unsuback, .pingresp: sender == .server
        case .disconnect: sender == .client || version == .v5_0
        }
    }
}

/// The end of a connection that sends a packet.
package enum PacketSender: Sendable, Hashable, CaseIterable {
    case client
    case server
}

import CurlewCore

// Rules that every packet of the broker has to follow.
extension Packet {
    /// Replaces a reason code that the standard does not list for this packet type.
    mutating func fitReasonCode() {
        switch self {
        case .connack(var packet):
            packet.reasonCode = packet.reasonCode.fitting(.connack)
            self = .connack(packet)
        case .puback(var packet):
            packet.reasonCode = packet.reasonCode.fitting(.puback)
            self = .puback(packet)
        case .pubrec(var packet):
            packet.reasonCode = packet.reasonCode.fitting(.pubrec)
            self = .pubrec(packet)
        case .disconnect(var packet):
            packet.reasonCode = packet.reasonCode.fitting(.disconnect)
            self = .disconnect(packet)
        default: break
        }
    }

    /// Removes properties that only people read.
    mutating func removeWords() {
        func shorten(_ properties: inout Properties) {
            properties.list.removeAll {
                switch $0 {
                case .reasonString, .serverReference, .userProperty, .responseInformation: true
                default: false
                }
            }
        }
        switch self {
        case .connack(var packet):
            shorten(&packet.properties)
            self = .connack(packet)
        case .disconnect(var packet):
            shorten(&packet.properties)
            self = .disconnect(packet)
        default: break
        }
    }
}

/// Why a packet cannot be sent: what it says is not possible in its version, or not at all. Never the peer's fault.
package enum EncodingError: Error, Hashable, Sendable {
    /// That version of the protocol has no way to say it.
    case notSupported(String, ProtocolVersion)
    /// More than the 65,535 bytes that the wire has room for. Of texts, topics and binary fields.
    case tooLong(String, bytes: Int)
    /// A text with U+0000 in it. [MQTT-1.5.4-2]
    case nullCharacter(String)
    /// More than the 268,435,455 bytes that the fixed header can announce.
    case packetTooLarge(bytes: Int)
    /// A property that has no place in the packet.
    case misplacedProperty(PropertyIdentifier, PacketType)
    /// A property that stands twice and may stand once.
    case repeatedProperty(PropertyIdentifier, PacketType)
    /// A property whose value is outside what the standard permits.
    case propertyValue(PropertyIdentifier, PacketType)
    /// A reason code that the standard does not list for the packet.
    case reasonCode(ReasonCode, PacketType)
    /// Fields that contradict each other; the text is a whole sentence.
    case invalid(String)
}

extension EncodingError: CustomStringConvertible {
    /// One sentence for people.
    package var description: String {
        switch self {
        case .notSupported(let field, let version): "MQTT \(version) does not support \(field)."
        case .tooLong(let field, let bytes): "The \(field) has \(bytes) bytes, and MQTT allows 65535."
        case .nullCharacter(let field): "The \(field) contains a null character, which MQTT does not allow."
        case .packetTooLarge(let bytes): "The packet has \(bytes) bytes after its header, and MQTT allows 268435455."
        case .misplacedProperty(let property, let packet): "The property \(property) has no place in \(packet)."
        case .repeatedProperty(let property, let packet): "The property \(property) stands in \(packet) more than once."
        case .propertyValue(let property, let packet):
            "The property \(property) in \(packet) has a value that is not allowed."
        case .reasonCode(let code, let packet): "\(code) is no reason code of \(packet)."
        case .invalid(let sentence): sentence
        }
    }
}

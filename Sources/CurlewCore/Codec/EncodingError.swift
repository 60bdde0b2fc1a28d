/// Why a packet cannot be sent: its content is not possible in its version, or in any version. Never the peer's
/// fault.
package enum EncodingError: Error, Hashable, Sendable {
    /// This version of the protocol cannot express it.
    case notSupported(String, ProtocolVersion)
    /// A text, topic or binary field is longer than the 65,535 bytes that its encoding permits.
    case tooLong(String, bytes: Int)
    /// A text contains U+0000 [MQTT-1.5.4-2].
    case nullCharacter(String)
    /// The packet is longer than the 268,435,455 bytes that the fixed header can express.
    case packetTooLarge(bytes: Int)
    /// A property that the packet may not contain.
    case misplacedProperty(PropertyIdentifier, PacketType)
    /// A property that occurs twice but may occur only once.
    case repeatedProperty(PropertyIdentifier, PacketType)
    /// A property whose value the standard does not permit.
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

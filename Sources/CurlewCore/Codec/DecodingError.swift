/// Why a peer's bytes are refused. The connection cannot continue after this (MQTT 5.0 section 4.13).
package enum DecodingError: Error, Hashable, Sendable {
    /// A variable byte integer has more than four bytes, or more than necessary.
    case variableByteInteger
    /// The fixed header announces more bytes than are accepted.
    case packetTooLarge(size: Int, maximum: Int)
    /// Packet type 0, or AUTH before 5.0.
    case unknownPacketType(UInt8)
    /// A packet that this end of a connection never sends.
    case unexpectedPacket(PacketType)
    /// A reserved bit does not have the value that the standard requires.
    case reservedBits(PacketType)
    /// A field extends beyond the end of its packet or property list.
    case truncated(PacketType)
    /// There are bytes after the last field.
    case trailingBytes(PacketType)
    /// Text that is not well-formed UTF-8, or contains a null character.
    case text(PacketType)
    /// A topic to publish to, or a response topic, that is empty or has a wildcard.
    case topicName(PacketType)
    /// A topic filter that breaks the rules of section 4.7 or 4.8.
    case topicFilter(PacketType)
    /// A PUBLISH with both QoS bits set.
    case qos
    /// A PUBLISH at QoS 0 with DUP set.
    case dupAtQoS0
    /// A packet identifier of 0.
    case packetIDZero(PacketType)
    /// A PUBLISH with neither a topic nor a topic alias.
    case missingTopic
    /// A CONNECT for another protocol: the first field contains another name.
    case protocolName
    /// A CONNECT with a protocol level that is none of the three versions, or does not fit the name.
    case protocolVersion(UInt8)
    /// Flags of a CONNECT that exclude one another.
    case connectFlags
    /// A CONNACK that refuses the connection but reports a session.
    case sessionPresentWhenRefused
    /// A SUBSCRIBE or UNSUBSCRIBE without a topic filter, or its answer without a reason code.
    case noEntries(PacketType)
    /// Subscription options with a QoS or a retain handling of 3.
    case subscriptionOptions
    /// No Local on a shared subscription.
    case noLocalOnSharedSubscription
    /// A reason code that the standard does not list for the packet.
    case reasonCode(UInt8, PacketType)
    /// An identifier that belongs to no property.
    case unknownProperty(UInt32)
    /// A property that the packet may not contain, or that this end may not send.
    case misplacedProperty(PropertyIdentifier, PacketType)
    /// A property that occurs twice but may occur only once.
    case repeatedProperty(PropertyIdentifier, PacketType)
    /// A property whose value the standard does not permit.
    case propertyValue(PropertyIdentifier, PacketType)
    /// Too many properties: each takes many times its encoded size in memory.
    case tooManyProperties(PacketType)
    /// A required property is missing.
    case missingProperty(PropertyIdentifier, PacketType)
}

// MARK: - What the peer is told

extension DecodingError {
    /// The reason code for the DISCONNECT or CONNACK that informs the peer [MQTT-4.13.1-1].
    package var reasonCode: ReasonCode {
        switch self {
        case .packetTooLarge: .packetTooLarge
        case .tooManyProperties: .quotaExceeded
        // [MQTT-3.1.2-1] [MQTT-3.1.2-2]
        case .protocolName, .protocolVersion: .unsupportedProtocolVersion
        // Section 3.3.2.3.4; [MQTT-3.3.2-8]
        case .propertyValue(.topicAlias, _): .topicAliasInvalid
        case .variableByteInteger, .unknownPacketType, .reservedBits, .truncated, .trailingBytes, .text, .topicName,
            .topicFilter, .qos, .dupAtQoS0, .connectFlags, .unknownProperty, .misplacedProperty:
            .malformedPacket
        case .unexpectedPacket, .packetIDZero, .missingTopic, .sessionPresentWhenRefused, .noEntries,
            .subscriptionOptions,
            .noLocalOnSharedSubscription, .reasonCode, .repeatedProperty, .propertyValue, .missingProperty:
            .protocolError
        }
    }
}

extension DecodingError: CustomStringConvertible {
    /// One sentence for people.
    package var description: String {
        switch self {
        case .variableByteInteger: "A length is longer than four bytes, or not in its shortest form."
        case .packetTooLarge(let size, let maximum): "A packet of \(size) bytes is larger than the \(maximum) accepted."
        case .unknownPacketType(let type): "There is no packet of type \(type) in this version of MQTT."
        case .unexpectedPacket(let packet): "The peer must not send \(packet)."
        case .reservedBits(let packet): "Reserved bits of \(packet) have another value than the standard's."
        case .truncated(let packet): "A field of \(packet) reaches beyond the end of the packet."
        case .trailingBytes(let packet): "There are bytes after the last field of \(packet)."
        case .text(let packet): "A text in \(packet) is not well-formed UTF-8, or has a null character."
        case .topicName(let packet): "A topic in \(packet) is empty or has a wildcard."
        case .topicFilter(let packet): "A topic filter in \(packet) is not well-formed."
        case .qos: "A PUBLISH has QoS 3."
        case .dupAtQoS0: "A PUBLISH at QoS 0 has the DUP flag."
        case .packetIDZero(let packet): "The packet identifier of \(packet) is 0."
        case .missingTopic: "A PUBLISH has neither topic nor topic alias."
        case .protocolName: "A CONNECT names another protocol than MQTT."
        case .protocolVersion(let level): "A CONNECT asks for protocol level \(level), which is not supported."
        case .connectFlags: "The flags of a CONNECT contradict each other."
        case .sessionPresentWhenRefused: "A CONNACK refuses the connection and says that a session is present."
        case .noEntries(let packet): "The payload of \(packet) is empty."
        case .subscriptionOptions: "A subscription option has a value that MQTT does not define."
        case .noLocalOnSharedSubscription: "A shared subscription has the No Local option."
        case .reasonCode(let code, let packet): "\(ReasonCode(rawValue: code)) is no reason code of \(packet)."
        case .unknownProperty(let identifier): "There is no property with the identifier \(identifier)."
        case .misplacedProperty(let property, let packet): "The property \(property) must not stand in this \(packet)."
        case .repeatedProperty(let property, let packet): "The property \(property) stands in \(packet) more than once."
        case .propertyValue(let property, let packet):
            "The property \(property) in \(packet) has a value that is not allowed."
        case .tooManyProperties(let packet):
            "There are more than \(Properties.maximumCount) properties in \(packet)."
        case .missingProperty(let property, let packet): "The property \(property) is missing from \(packet)."
        }
    }
}

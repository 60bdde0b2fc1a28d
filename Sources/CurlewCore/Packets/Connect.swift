package import NIOCore

/// CONNECT: a client requests a connection (MQTT 5.0 section 3.1).
package struct Connect: Equatable, Sendable {
    package var version: ProtocolVersion
    /// Clean Start; Clean Session before 5.0.
    package var cleanStart: Bool
    /// Seconds; 0 turns keep alive off.
    package var keepAlive: UInt16
    /// If empty, the server assigns one.
    package var clientIdentifier: String
    package var username: String?
    package var password: MQTTPassword?
    package var will: Will?
    package var properties: Properties
    /// Whether the client announces itself as a bridge, as mosquitto does: by the highest bit of the protocol
    /// level, before 5.0.
    package var isBridge = false

    package init(
        version: ProtocolVersion = .v5_0, cleanStart: Bool = true, keepAlive: UInt16 = 60, clientIdentifier: String,
        username: String? = nil, password: MQTTPassword? = nil, will: Will? = nil, properties: Properties = Properties()
    ) {
        self.version = version
        self.cleanStart = cleanStart
        self.keepAlive = keepAlive
        self.clientIdentifier = clientIdentifier
        self.username = username
        self.password = password
        self.will = will
        self.properties = properties
    }

    /// The message that the server publishes when the connection ends without a DISCONNECT (section 3.1.2.5).
    package struct Will: Equatable, Sendable {
        package var topic: TopicName
        package var payload: ByteBuffer
        package var qos: QoS
        package var retain: Bool
        /// Including the will delay interval.
        package var properties: Properties

        package init(
            topic: TopicName, payload: ByteBuffer, qos: QoS = .atMostOnce, retain: Bool = false,
            properties: Properties = Properties()
        ) {
            self.topic = topic
            self.payload = payload
            self.qos = qos
            self.retain = retain
            self.properties = properties
        }
    }
}

/// The beginning of a CONNECT: name and level (MQTT 5.0 sections 3.1.2.1 and 3.1.2.2).
extension ProtocolVersion {
    /// `MQIsdp` in MQTT 3.1, `MQTT` since. [MQTT-3.1.2-1]
    fileprivate var protocolName: String { self == .v3_1 ? "MQIsdp" : "MQTT" }
}

/// The byte after the protocol level (MQTT 5.0 section 3.1.2.3).
private struct ConnectFlags: OptionSet {
    let rawValue: UInt8
    static let reserved = Self(rawValue: 1 << 0)
    static let cleanStart = Self(rawValue: 1 << 1)
    static let will = Self(rawValue: 1 << 2)
    static let willRetain = Self(rawValue: 1 << 5)
    static let password = Self(rawValue: 1 << 6)
    static let username = Self(rawValue: 1 << 7)

    /// The two bits of the will's QoS, which may be 3 here.
    var willQoS: UInt8 { self.rawValue >> 3 & 0b11 }
}

// MARK: - Decoding

extension Connect {
    init(from reader: inout PacketReader) throws(DecodingError) {
        let (version, isBridge) = try Self.version(&reader)
        reader.version = version
        let flags = ConnectFlags(rawValue: try reader.byte())
        guard !flags.contains(.reserved) else { throw .reservedBits(.connect) }  // [MQTT-3.1.2-3]
        // A password without a user name is allowed since 5.0.
        guard version == .v5_0 || flags.contains(.username) || !flags.contains(.password) else { throw .connectFlags }

        let keepAlive = try reader.twoBytes()
        let properties = try reader.properties()
        self.init(
            version: version, cleanStart: flags.contains(.cleanStart), keepAlive: keepAlive,
            clientIdentifier: try reader.text(), properties: properties
        )
        self.isBridge = isBridge
        // In this order. [MQTT-3.1.3-1]
        self.will = try Self.will(flags, &reader)
        if flags.contains(.username), !Self.isMissing(&reader) { self.username = try reader.text() }
        if flags.contains(.password), !Self.isMissing(&reader) {
            self.password = MQTTPassword(bytes: try reader.data())
        }
        try reader.finish()
    }

    /// MQTT 3.1 (section 3.1) allows a packet to end before user name and password, even if their flags are set.
    private static func isMissing(_ reader: inout PacketReader) -> Bool { reader.version == .v3_1 && reader.isAtEnd }

    /// The bit of the protocol level that mosquitto's bridges set; unknown to the standard.
    private static let bridgeBit: UInt8 = 0x80

    private static func version(
        _ reader: inout PacketReader
    ) throws(DecodingError) -> (version: ProtocolVersion, isBridge: Bool) {
        let name = try reader.text()
        guard name == "MQTT" || name == "MQIsdp" else { throw .protocolName }
        let level = try reader.byte()
        let isBridge = level & Self.bridgeBit != 0
        guard let version = ProtocolVersion(rawValue: level & ~Self.bridgeBit), version.protocolName == name,
            !isBridge || version < .v5_0
        else { throw .protocolVersion(level) }
        return (version, isBridge)
    }

    private static func will(_ flags: ConnectFlags, _ reader: inout PacketReader) throws(DecodingError) -> Will? {
        guard flags.contains(.will) else {
            // [MQTT-3.1.2-11] [MQTT-3.1.2-13] [MQTT-3.1.2-15]
            guard flags.willQoS == 0, !flags.contains(.willRetain) else { throw .connectFlags }
            return nil
        }
        guard let qos = QoS(rawValue: flags.willQoS) else { throw .connectFlags }  // [MQTT-3.1.2-14]
        let properties = try reader.properties(in: .will)
        return Will(
            topic: try reader.topicName(), payload: try reader.data(), qos: qos, retain: flags.contains(.willRetain),
            properties: properties
        )
    }
}

// MARK: - Encoding

extension Connect {
    /// Appends the packet, in the version that it requests. When it throws, nothing was appended.
    ///
    /// Before 5.0, the properties of the connection and of the will are omitted.
    package func encode(into buffer: inout ByteBuffer) throws(EncodingError) {
        let sizes = try self.propertySizes()
        let remaining = try self.remainingLength(sizes)
        buffer.writePacket(PacketType.connect.firstByte, remaining: remaining) { writer in
            writer.write(text: self.version.protocolName)
            writer.write(self.version.rawValue | (self.isBridge ? Self.bridgeBit : 0))
            writer.write(self.flags.rawValue)
            writer.write(self.keepAlive)
            writer.write(self.properties, contentSize: sizes.own, version: self.version)
            writer.write(text: self.clientIdentifier)
            if let will {
                writer.write(will.properties, contentSize: sizes.will, version: self.version)
                writer.write(text: will.topic.string)
                writer.write(data: will.payload)
            }
            if let username { writer.write(text: username) }
            if let password { writer.write(data: password.bytes) }
        }
    }

    /// The size of the whole packet in bytes.
    package func encodedSize() throws(EncodingError) -> Int {
        EncodedSize.packet(remaining: try self.remainingLength(self.propertySizes()))
    }

    private var flags: ConnectFlags {
        var flags = ConnectFlags()
        if self.cleanStart { flags.insert(.cleanStart) }
        if self.username != nil { flags.insert(.username) }
        if self.password != nil { flags.insert(.password) }
        guard let will else { return flags }
        flags.insert(.will)
        if will.retain { flags.insert(.willRetain) }
        return flags.union(ConnectFlags(rawValue: will.qos.rawValue << 3))
    }

    private func propertySizes() throws(EncodingError) -> (own: Int, will: Int) {
        (
            try self.properties.contentSize(in: .connect, of: .connect, version: self.version),
            try self.will?.properties.contentSize(in: .will, of: .connect, version: self.version) ?? 0
        )
    }

    private func remainingLength(_ properties: (own: Int, will: Int)) throws(EncodingError) -> Int {
        if self.version < .v5_0 {
            guard self.password == nil || self.username != nil else {
                throw .notSupported("a password without a user name", self.version)
            }
            // Section 3.1.3.1 of MQTT 3.1.1. MQTT 3.1 permits no empty identifier at all.
            guard !self.clientIdentifier.isEmpty || self.version == .v3_1_1 && self.cleanStart else {
                throw .notSupported("an empty client identifier here", self.version)
            }
        }
        // The name, the level, the flags and the keep alive.
        var size = 2 + self.version.protocolName.utf8.count + 1 + 1 + 2
        size += Properties.size(properties.own, version: self.version)
        size += try EncodedSize.text(self.clientIdentifier, "client identifier")
        if let will {
            size += Properties.size(properties.will, version: self.version)
            size += EncodedSize.topic(will.topic)
            size += try EncodedSize.data(will.payload, "payload of the will")
        }
        if let username { size += try EncodedSize.text(username, "user name") }
        if let password { size += try EncodedSize.data(password.bytes, "password") }
        return try EncodedSize.checked(remaining: size)
    }
}

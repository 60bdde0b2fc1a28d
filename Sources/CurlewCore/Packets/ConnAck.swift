package import NIOCore

/// CONNACK: the server's answer to CONNECT (MQTT 5.0 section 3.2).
package struct ConnAck: Equatable, Sendable {
    package var sessionPresent: Bool
    /// The return codes of 3.1 and 3.1.1 are decoded as the corresponding reason codes.
    package var reasonCode: ReasonCode
    package var properties: Properties

    package init(sessionPresent: Bool = false, reasonCode: ReasonCode = .success, properties: Properties = Properties())
    {
        self.sessionPresent = sessionPresent
        self.reasonCode = reasonCode
        self.properties = properties
    }
}

// MARK: - Decoding

extension ConnAck {
    init(from reader: inout PacketReader) throws(DecodingError) {
        let flags = try reader.byte()
        // [MQTT-3.2.2-1]; MQTT 3.1 has no Session Present, but servers that also speak later versions may send it.
        guard flags & ~1 == 0 else { throw .reservedBits(.connack) }
        let sessionPresent = flags == 1
        if reader.version == .v5_0, try reader.isEarlierRefusal() {
            _ = try reader.byte()
            self.init(reasonCode: .unsupportedProtocolVersion)
            return
        }
        let reasonCode = try Self.reasonCode(&reader)
        // [MQTT-3.2.2-6]
        guard !sessionPresent || reasonCode == .success else { throw .sessionPresentWhenRefused }
        self.init(sessionPresent: sessionPresent, reasonCode: reasonCode, properties: try reader.properties())
        try reader.finish()
    }

    private static func reasonCode(_ reader: inout PacketReader) throws(DecodingError) -> ReasonCode {
        if reader.version == .v5_0 { return try reader.reasonCode() }
        let returnCode = try reader.byte()
        guard let code = ReasonCode(connectReturnCode: returnCode) else { throw .reasonCode(returnCode, .connack) }
        return code
    }
}

extension PacketReader {
    /// Whether the rest of a CONNACK is only a return code that refuses the connection: a server that does not
    /// support 5.0 refuses it in the format of its own version (MQTT 3.1.1 section 3.2.2.3). Whatever the code, the
    /// version is the first thing to change.
    fileprivate func isEarlierRefusal() throws(DecodingError) -> Bool {
        var ahead = self
        return try (1...5).contains(ahead.byte()) && ahead.isAtEnd
    }
}

// MARK: - Encoding

extension ConnAck {
    /// Appends the packet. When it throws, nothing was appended.
    ///
    /// Before 5.0, the reason code becomes the closest return code, and the properties are omitted.
    package func encode(into buffer: inout ByteBuffer, version: ProtocolVersion) throws(EncodingError) {
        let (size, remaining) = try self.sizes(version: version)
        buffer.writePacket(PacketType.connack.firstByte, remaining: remaining) { writer in
            writer.write(self.sessionPresent && version > .v3_1 ? 1 : 0 as UInt8)
            writer.write(version == .v5_0 ? self.reasonCode.rawValue : self.reasonCode.connectReturnCode)
            writer.write(self.properties, contentSize: size, version: version)
        }
    }

    /// The size of the whole packet in bytes, as a peer's Maximum Packet Size counts it.
    package func encodedSize(version: ProtocolVersion) throws(EncodingError) -> Int {
        EncodedSize.packet(remaining: try self.sizes(version: version).remaining)
    }

    private func sizes(version: ProtocolVersion) throws(EncodingError) -> (properties: Int, remaining: Int) {
        guard version < .v5_0 || self.reasonCode.isDefined(for: .connack) else {
            throw .reasonCode(self.reasonCode, .connack)
        }
        guard !self.sessionPresent || self.reasonCode == .success else {
            throw .invalid("A CONNACK that refuses the connection cannot say that a session is present.")
        }
        let size = try self.properties.contentSize(in: .connack, of: .connack, version: version)
        return (size, try EncodedSize.checked(remaining: 2 + Properties.size(size, version: version)))
    }
}

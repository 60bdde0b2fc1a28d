package import NIOCore

/// AUTH: one step of an enhanced authentication, 5.0 only (MQTT 5.0 section 3.15).
package struct Auth: Equatable, Sendable {
    package var reasonCode: ReasonCode
    package var properties: Properties

    package init(reasonCode: ReasonCode = .success, properties: Properties = Properties()) {
        self.reasonCode = reasonCode
        self.properties = properties
    }
}

// MARK: - Decoding

extension Auth {
    init(from reader: inout PacketReader) throws(DecodingError) {
        self.init()
        // Without more, it is a success (section 3.15.2.1).
        if reader.isAtEnd { return }
        self.reasonCode = try reader.reasonCode()
        self.properties = try reader.properties()
        try reader.finish()
        // Section 3.15.2.2.2. The decoder of the list has seen to it that the data have a method.
        guard self.hasMethod else { throw .missingProperty(.authenticationMethod, .auth) }
    }

    private var hasMethod: Bool {
        self.properties.list.contains { if case .authenticationMethod = $0 { true } else { false } }
    }
}

// MARK: - Encoding

extension Auth {
    /// Appends the packet, of which nothing is written when it cannot be sent: before 5.0, there is no such packet.
    package func encode(into buffer: inout ByteBuffer, version: ProtocolVersion) throws(EncodingError) {
        let (size, remaining) = try self.sizes(version: version)
        buffer.writePacket(PacketType.auth.firstByte, remaining: remaining) { writer in
            if remaining == 0 { return }
            writer.write(self.reasonCode.rawValue)
            writer.write(self.properties, contentSize: size, version: version)
        }
    }

    /// The size of the whole packet in bytes, as a peer's Maximum Packet Size counts it.
    package func encodedSize(version: ProtocolVersion) throws(EncodingError) -> Int {
        EncodedSize.packet(remaining: try self.sizes(version: version).remaining)
    }

    private func sizes(version: ProtocolVersion) throws(EncodingError) -> (properties: Int, remaining: Int) {
        guard version == .v5_0 else { throw .notSupported("enhanced authentication", version) }
        guard self.reasonCode.isDefined(for: .auth) else { throw .reasonCode(self.reasonCode, .auth) }
        if self.reasonCode == .success && self.properties.isEmpty { return (0, 0) }
        guard self.hasMethod else { throw .invalid("An AUTH needs an authentication method.") }
        let size = try self.properties.contentSize(in: .auth, of: .auth, version: version)
        return (size, try EncodedSize.checked(remaining: 1 + Properties.size(size, version: version)))
    }
}

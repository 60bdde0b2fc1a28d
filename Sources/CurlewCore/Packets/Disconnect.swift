package import NIOCore

/// DISCONNECT: the last packet of a connection; from either end in 5.0, only from the client before (MQTT 5.0
/// section 3.14).
package struct Disconnect: Equatable, Sendable {
    package var reasonCode: ReasonCode
    package var properties: Properties

    package init(reasonCode: ReasonCode = .normalDisconnection, properties: Properties = Properties()) {
        self.reasonCode = reasonCode
        self.properties = properties
    }
}

// MARK: - Decoding

extension Disconnect {
    init(from reader: inout PacketReader) throws(DecodingError) {
        self.init()
        // An empty packet is a normal disconnection (section 3.14.2.1), and the only form before 5.0.
        if reader.version == .v5_0, !reader.isAtEnd {
            self.reasonCode = try reader.reasonCode()
            // An omitted list is empty (section 3.14.2.2.1).
            if !reader.isAtEnd { self.properties = try reader.properties() }
        }
        try reader.finish()
    }
}

// MARK: - Encoding

extension Disconnect {
    /// Appends the packet. When it throws, nothing was appended.
    ///
    /// Before 5.0, the reason code and the properties are omitted.
    package func encode(into buffer: inout ByteBuffer, version: ProtocolVersion) throws(EncodingError) {
        let (size, remaining) = try self.sizes(version: version)
        buffer.writePacket(PacketType.disconnect.firstByte, remaining: remaining) { writer in
            if remaining > 0 { writer.write(self.reasonCode.rawValue) }
            if remaining > 1 { writer.write(self.properties, contentSize: size, version: version) }
        }
    }

    /// The size of the whole packet in bytes, as a peer's Maximum Packet Size counts it.
    package func encodedSize(version: ProtocolVersion) throws(EncodingError) -> Int {
        EncodedSize.packet(remaining: try self.sizes(version: version).remaining)
    }

    private func sizes(version: ProtocolVersion) throws(EncodingError) -> (properties: Int, remaining: Int) {
        guard version == .v5_0 else { return (0, 0) }
        guard self.reasonCode.isDefined(for: .disconnect) else { throw .reasonCode(self.reasonCode, .disconnect) }
        let size = try self.properties.contentSize(in: .disconnect, of: .disconnect, version: version)
        if size == 0 { return (0, self.reasonCode == .normalDisconnection ? 0 : 1) }
        return (size, try EncodedSize.checked(remaining: 1 + Properties.size(size, version: version)))
    }
}

package import NIOCore

/// UNSUBACK: one reason code for each topic filter of the UNSUBSCRIBE; none before 5.0 (MQTT 5.0 section 3.11).
package struct UnsubAck: Equatable, Sendable {
    package var packetID: PacketID
    /// Empty before 5.0.
    package var reasonCodes: [ReasonCode]
    package var properties: Properties

    package init(_ packetID: PacketID, _ reasonCodes: [ReasonCode] = [], properties: Properties = Properties()) {
        self.packetID = packetID
        self.reasonCodes = reasonCodes
        self.properties = properties
    }
}

// MARK: - Decoding

extension UnsubAck {
    init(from reader: inout PacketReader) throws(DecodingError) {
        self.init(try reader.packetID(), [], properties: try reader.properties())
        if reader.version == .v5_0 {
            while !reader.isAtEnd { self.reasonCodes.append(try reader.reasonCode()) }
            guard !self.reasonCodes.isEmpty else { throw .noEntries(.unsuback) }  // [MQTT-3.11.3-1]
        }
        try reader.finish()
    }
}

// MARK: - Encoding

extension UnsubAck {
    /// Appends the packet. When it throws, nothing was appended.
    ///
    /// Before 5.0, reason codes and properties are omitted.
    package func encode(into buffer: inout ByteBuffer, version: ProtocolVersion) throws(EncodingError) {
        let (size, remaining) = try self.sizes(version: version)
        buffer.writePacket(PacketType.unsuback.firstByte, remaining: remaining) { writer in
            writer.write(self.packetID.rawValue)
            writer.write(self.properties, contentSize: size, version: version)
            if version == .v5_0 {
                for code in self.reasonCodes { writer.write(code.rawValue) }
            }
        }
    }

    /// The size of the whole packet in bytes, as a peer's Maximum Packet Size counts it.
    package func encodedSize(version: ProtocolVersion) throws(EncodingError) -> Int {
        EncodedSize.packet(remaining: try self.sizes(version: version).remaining)
    }

    private func sizes(version: ProtocolVersion) throws(EncodingError) -> (properties: Int, remaining: Int) {
        guard version == .v5_0 else { return (0, 2) }
        guard !self.reasonCodes.isEmpty else { throw .invalid("An UNSUBACK needs a reason code.") }
        for code in self.reasonCodes where !code.isDefined(for: .unsuback) { throw .reasonCode(code, .unsuback) }
        let size = try self.properties.contentSize(in: .unsuback, of: .unsuback, version: version)
        let remaining = 2 + Properties.size(size, version: version) + self.reasonCodes.count
        return (size, try EncodedSize.checked(remaining: remaining))
    }
}

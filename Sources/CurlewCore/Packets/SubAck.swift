package import NIOCore

/// SUBACK: one reason code for each topic filter of the SUBSCRIBE, in the same order (MQTT 5.0 section 3.9).
package struct SubAck: Equatable, Sendable {
    package var packetID: PacketID
    package var reasonCodes: [ReasonCode]
    package var properties: Properties

    package init(_ packetID: PacketID, _ reasonCodes: [ReasonCode], properties: Properties = Properties()) {
        self.packetID = packetID
        self.reasonCodes = reasonCodes
        self.properties = properties
    }
}

// MARK: - Decoding

extension SubAck {
    init(from reader: inout PacketReader) throws(DecodingError) {
        self.init(try reader.packetID(), [], properties: try reader.properties())
        while !reader.isAtEnd { self.reasonCodes.append(try Self.reasonCode(&reader)) }
        guard !self.reasonCodes.isEmpty else { throw .noEntries(.suback) }  // [MQTT-3.8.4-6]
    }

    private static func reasonCode(_ reader: inout PacketReader) throws(DecodingError) -> ReasonCode {
        if reader.version == .v5_0 { return try reader.reasonCode() }
        let returnCode = try reader.byte()
        guard let code = ReasonCode(subscribeReturnCode: returnCode) else { throw .reasonCode(returnCode, .suback) }
        return code
    }
}

// MARK: - Encoding

extension SubAck {
    /// Appends the packet. When it throws, nothing was appended.
    ///
    /// Before 5.0, every failure is 0x80, and the properties are omitted.
    package func encode(into buffer: inout ByteBuffer, version: ProtocolVersion) throws(EncodingError) {
        let (size, remaining) = try self.sizes(version: version)
        buffer.writePacket(PacketType.suback.firstByte, remaining: remaining) { writer in
            writer.write(self.packetID.rawValue)
            writer.write(self.properties, contentSize: size, version: version)
            for code in self.reasonCodes { writer.write(version == .v5_0 ? code.rawValue : code.subscribeReturnCode) }
        }
    }

    /// The size of the whole packet in bytes, as a peer's Maximum Packet Size counts it.
    package func encodedSize(version: ProtocolVersion) throws(EncodingError) -> Int {
        EncodedSize.packet(remaining: try self.sizes(version: version).remaining)
    }

    private func sizes(version: ProtocolVersion) throws(EncodingError) -> (properties: Int, remaining: Int) {
        guard !self.reasonCodes.isEmpty else { throw .invalid("A SUBACK needs a reason code.") }
        for code in self.reasonCodes where !code.isDefined(for: .suback) { throw .reasonCode(code, .suback) }
        let size = try self.properties.contentSize(in: .suback, of: .suback, version: version)
        let remaining = 2 + Properties.size(size, version: version) + self.reasonCodes.count
        return (size, try EncodedSize.checked(remaining: remaining))
    }
}

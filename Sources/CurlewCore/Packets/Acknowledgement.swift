package import NIOCore

/// PUBACK, PUBREC, PUBREL or PUBCOMP: four packets with the same structure (MQTT 5.0 sections 3.4 to 3.7).
package struct Acknowledgement: Equatable, Sendable {
    package var packetID: PacketID
    package var reasonCode: ReasonCode
    package var properties: Properties

    package init(_ packetID: PacketID, reasonCode: ReasonCode = .success, properties: Properties = Properties()) {
        self.packetID = packetID
        self.reasonCode = reasonCode
        self.properties = properties
    }

    /// The type of the packet.
    package enum Kind: Equatable, Sendable, CaseIterable {
        /// Answers a PUBLISH at QoS 1.
        case puback
        /// Answers a PUBLISH at QoS 2.
        case pubrec
        /// Answers a PUBREC.
        case pubrel
        /// Answers a PUBREL.
        case pubcomp
    }
}

extension Acknowledgement.Kind {
    var packetType: PacketType {
        switch self {
        case .puback: .puback
        case .pubrec: .pubrec
        case .pubrel: .pubrel
        case .pubcomp: .pubcomp
        }
    }
}

// MARK: - Decoding

extension Acknowledgement {
    @inline(__always)
    init(from reader: inout PacketReader) throws(DecodingError) {
        self.init(try reader.packetID())
        // Without a reason code, it is a success (section 3.4.2.1).
        if !reader.isAtEnd { try self.decodeRest(from: &reader) }
    }

    @inline(never)
    private mutating func decodeRest(from reader: inout PacketReader) throws(DecodingError) {
        if reader.version == .v5_0 {
            self.reasonCode = try reader.reasonCode()
            // An omitted list is empty (section 3.4.2.2.1).
            if !reader.isAtEnd { self.properties = try reader.properties() }
        }
        try reader.finish()
    }
}

// MARK: - Encoding

extension Acknowledgement {
    /// Appends the packet. When it throws, nothing was appended.
    ///
    /// Before 5.0, the reason code and the properties are omitted: those versions acknowledge, or close the
    /// connection.
    package func encode(
        as kind: Kind, into buffer: inout ByteBuffer, version: ProtocolVersion
    ) throws(EncodingError) {
        let packet = kind.packetType
        if version < .v5_0 || self.reasonCode == .success && self.properties.isEmpty {
            buffer.writePacket(packet.firstByte, remaining: 2) { $0.write(self.packetID.rawValue) }
        } else {
            try self.encodeWhole(as: packet, into: &buffer)
        }
    }

    private func encodeWhole(as packet: PacketType, into buffer: inout ByteBuffer) throws(EncodingError) {
        guard self.reasonCode.isDefined(for: packet) else { throw .reasonCode(self.reasonCode, packet) }
        let size = try self.properties.contentSize(in: PropertyScope(packet), of: packet, version: .v5_0)
        let remaining = try self.remainingLength(propertySize: size)
        buffer.writePacket(packet.firstByte, remaining: remaining) { writer in
            writer.write(self.packetID.rawValue)
            writer.write(self.reasonCode.rawValue)
            if size > 0 { writer.write(self.properties, contentSize: size, version: .v5_0) }
        }
    }

    private func remainingLength(propertySize: Int) throws(EncodingError) -> Int {
        if propertySize == 0 { return self.reasonCode == .success ? 2 : 3 }
        return try EncodedSize.checked(remaining: 3 + Properties.size(propertySize, version: .v5_0))
    }

    /// The size of the whole packet in bytes, as a peer's Maximum Packet Size counts it.
    package func encodedSize(as kind: Kind, version: ProtocolVersion) throws(EncodingError) -> Int {
        if version < .v5_0 { return 4 }
        let packet = kind.packetType
        let size = try self.properties.contentSize(in: PropertyScope(packet), of: packet, version: version)
        return EncodedSize.packet(remaining: try self.remainingLength(propertySize: size))
    }
}

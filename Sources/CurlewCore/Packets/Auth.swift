package import NIOCore

/// AUTH: one step of an enhanced authentication, 5.0 only (MQTT 5.0 section 3.15).
package struct Auth: Equatable, Sendable {
    package var reasonCode: ReasonCode
    package var properties: Properties

    package init(reasonCode: ReasonCode = .success, properties: Properties = Properties()) {
        self.reasonCode = reasonCode
        self.properties = properties
    }

    /// One step of an authentication with this method [MQTT-4.12.0-5].
    package init(_ reasonCode: ReasonCode, method: String, data: ByteBuffer?) {
        var list: [Property] = [.authenticationMethod(method)]
        if let data { list.append(.authenticationData(data)) }
        self.init(reasonCode: reasonCode, properties: Properties(list))
    }
}

// MARK: - Decoding

extension Auth {
    init(from reader: inout PacketReader) throws(DecodingError) {
        self.init()
        // An empty packet is a success (section 3.15.2.1).
        if reader.isAtEnd { return }
        self.reasonCode = try reader.reasonCode()
        self.properties = try reader.properties()
        try reader.finish()
        // Section 3.15.2.2.2. Decoding the list has checked that data come with a method.
        guard self.properties.authenticationMethod != nil else { throw .missingProperty(.authenticationMethod, .auth) }
    }
}

// MARK: - Encoding

extension Auth {
    /// Appends the packet. When it throws, nothing was appended: before 5.0, there is no such packet.
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
        guard self.properties.authenticationMethod != nil else {
            throw .invalid("An AUTH needs an authentication method.")
        }
        let size = try self.properties.contentSize(in: .auth, of: .auth, version: version)
        return (size, try EncodedSize.checked(remaining: 1 + Properties.size(size, version: version)))
    }
}

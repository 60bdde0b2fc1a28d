package import NIOCore

/// UNSUBSCRIBE: a client ends subscriptions (MQTT 5.0 section 3.10).
package struct Unsubscribe: Equatable, Sendable {
    package var packetID: PacketID
    /// At least one [MQTT-3.10.3-2].
    package var filters: [TopicFilter]
    package var properties: Properties

    package init(_ packetID: PacketID, _ filters: [TopicFilter], properties: Properties = Properties()) {
        self.packetID = packetID
        self.filters = filters
        self.properties = properties
    }
}

// MARK: - Decoding

extension Unsubscribe {
    init(from reader: inout PacketReader) throws(DecodingError) {
        self.init(try reader.packetID(), [], properties: try reader.properties())
        while !reader.isAtEnd { self.filters.append(try reader.topicFilter()) }
        guard !self.filters.isEmpty else { throw .noEntries(.unsubscribe) }  // [MQTT-3.10.3-2]
    }
}

// MARK: - Encoding

extension Unsubscribe {
    /// Appends the packet. When it throws, nothing was appended. Before 5.0, the properties are omitted.
    package func encode(into buffer: inout ByteBuffer, version: ProtocolVersion) throws(EncodingError) {
        let (size, remaining) = try self.sizes(version: version)
        buffer.writePacket(PacketType.unsubscribe.firstByte, remaining: remaining) { writer in
            writer.write(self.packetID.rawValue)
            writer.write(self.properties, contentSize: size, version: version)
            for filter in self.filters { writer.write(text: filter.string) }
        }
    }

    /// The size of the whole packet in bytes, as a peer's Maximum Packet Size counts it.
    package func encodedSize(version: ProtocolVersion) throws(EncodingError) -> Int {
        EncodedSize.packet(remaining: try self.sizes(version: version).remaining)
    }

    private func sizes(version: ProtocolVersion) throws(EncodingError) -> (properties: Int, remaining: Int) {
        guard !self.filters.isEmpty else { throw .invalid("An UNSUBSCRIBE needs a topic filter.") }
        let size = try self.properties.contentSize(in: .unsubscribe, of: .unsubscribe, version: version)
        var remaining = 2 + Properties.size(size, version: version)
        for filter in self.filters { remaining += EncodedSize.topic(filter) }
        return (size, try EncodedSize.checked(remaining: remaining))
    }
}

package import NIOCore

/// PUBLISH: one application message on its way (MQTT 5.0 section 3.3).
package struct Publish: Equatable, Sendable {
    /// `nil` if the packet names its topic only by alias.
    package var topic: TopicName?
    /// Separate from the other properties, so that a message without others needs no list.
    package var topicAlias: UInt16?
    package var payload: ByteBuffer
    package var qos: QoS
    package var retain: Bool
    package var dup: Bool
    /// Present only if `qos` is 1 or 2.
    package var packetID: PacketID?
    /// All properties except the topic alias.
    package var properties: Properties

    package init(
        topic: TopicName?, topicAlias: UInt16? = nil, payload: ByteBuffer, qos: QoS = .atMostOnce, retain: Bool = false,
        dup: Bool = false, packetID: PacketID? = nil, properties: Properties = Properties()
    ) {
        self.topic = topic
        self.topicAlias = topicAlias
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.dup = dup
        self.packetID = packetID
        self.properties = properties
    }
}

// MARK: - Decoding

extension Publish {
    @inline(__always)
    init(
        from reader: inout PacketReader, topics: inout TopicCache, properties cache: inout PropertyCache
    ) throws(DecodingError) {
        let flags = reader.flags
        guard let qos = QoS(rawValue: flags >> 1 & 0b11) else { throw .qos }  // [MQTT-3.3.1-4]
        let dup = flags & 0b1000 != 0
        guard !dup || qos != .atMostOnce else { throw .dupAtQoS0 }  // [MQTT-3.3.1-2]

        let topic = try Self.topic(reader.field(), &topics)
        let packetID = qos == .atMostOnce ? nil : try reader.packetID()  // [MQTT-2.2.1-2]
        var topicAlias: UInt16?
        let properties = try reader.publishProperties(topicAlias: &topicAlias, &cache)
        guard topic != nil || topicAlias != nil else {
            // Section 3.3.2.1: where an alias is possible, an empty topic counts as missing.
            throw reader.version == .v5_0 ? .missingTopic : .topicName(.publish)
        }
        self.init(
            topic: topic, topicAlias: topicAlias, payload: reader.rest(), qos: qos, retain: flags & 0b0001 != 0,
            dup: dup,
            packetID: packetID, properties: properties
        )
    }

    /// The topic of these bytes; `nil` when there are none. [MQTT-3.3.2-1] [MQTT-3.3.2-2]
    @inline(__always)
    private static func topic(
        _ bytes: UnsafeRawBufferPointer, _ topics: inout TopicCache
    ) throws(DecodingError) -> TopicName? {
        if bytes.isEmpty { return nil }
        let hash = TopicCache.hash(bytes)
        if let topic = topics.topic(bytes, hash: hash) { return topic }
        return try Self.newTopic(bytes, hash: hash, &topics)
    }

    @inline(never)
    private static func newTopic(
        _ bytes: UnsafeRawBufferPointer, hash: UInt64, _ topics: inout TopicCache
    ) throws(DecodingError) -> TopicName {
        guard let text = PacketReader.text(bytes) else { throw .text(.publish) }
        guard let topic = try? TopicName(text) else { throw .topicName(.publish) }
        topics.insert(topic, hash: hash)
        return topic
    }
}

// MARK: - Encoding

extension Publish {
    /// Appends the packet. When it throws, nothing was appended.
    ///
    /// Before 5.0, properties and the topic alias are omitted, and the topic is required.
    package func encode(into buffer: inout ByteBuffer, version: ProtocolVersion) throws(EncodingError) {
        let propertySize = try self.propertySize(version: version)
        let remaining = try self.remainingLength(propertySize: propertySize, version: version)
        var first = PacketType.publish.rawValue << 4 | self.qos.rawValue << 1
        if self.dup { first |= 0b1000 }
        if self.retain { first |= 0b0001 }
        buffer.writePacket(first, remaining: remaining) { writer in
            writer.write(text: self.topic?.string ?? "")
            if let packetID { writer.write(packetID.rawValue) }
            if version == .v5_0 {
                writer.write(variable: propertySize)
                if let topicAlias { writer.write(.topicAlias(topicAlias)) }
                for property in self.properties.list { writer.write(property) }
            }
            writer.write(bytes: self.payload)
        }
    }

    /// The size of the whole packet in bytes, as a peer's Maximum Packet Size counts it.
    package func encodedSize(version: ProtocolVersion) throws(EncodingError) -> Int {
        let propertySize = try self.propertySize(version: version)
        return EncodedSize.packet(remaining: try self.remainingLength(propertySize: propertySize, version: version))
    }

    @inline(__always)
    private func propertySize(version: ProtocolVersion) throws(EncodingError) -> Int {
        try self.properties.contentSize(
            in: .publish, of: .publish, version: version, plus: self.topicAlias == nil ? 0 : 3
        )
    }

    @inline(__always)
    private func remainingLength(propertySize: Int, version: ProtocolVersion) throws(EncodingError) -> Int {
        guard (self.packetID != nil) == (self.qos != .atMostOnce) else {
            throw .invalid("A PUBLISH has a packet identifier if, and only if, its QoS is 1 or 2.")
        }
        guard !self.dup || self.qos != .atMostOnce else { throw .invalid("A PUBLISH at QoS 0 is never sent again.") }
        guard self.topicAlias != 0 else { throw .propertyValue(.topicAlias, .publish) }
        if self.topic == nil {
            guard version == .v5_0 else { throw .notSupported("a PUBLISH without a topic", version) }
            guard self.topicAlias != nil else { throw .invalid("A PUBLISH needs a topic or a topic alias.") }
        }
        return try EncodedSize.checked(
            remaining: (self.topic.map(EncodedSize.topic) ?? 2) + (self.packetID == nil ? 0 : 2)
                + Properties.size(propertySize, version: version) + self.payload.readableBytes
        )
    }
}

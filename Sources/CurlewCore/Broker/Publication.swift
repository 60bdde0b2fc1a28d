package import NIOCore

/// One message on its way through the broker to its receivers.
///
/// What all receivers share is created once, for the first one that needs it: the message that is queued, and the bytes
/// on the wire.
package struct Publication: Sendable {
    package let topic: TopicName
    package let payload: ByteBuffer
    package let qos: QoS
    package let retain: Bool
    package let properties: Properties
    package let expiresAt: Timestamp?
    /// Whether it is a retained message that is sent because of a new subscription.
    package let isFromStore: Bool
    /// Identifies the message in a store; 0 if nothing is stored.
    package var number: UInt64 = 0
    /// Whether there are several receivers, so that the encoded bytes are worth keeping.
    package var hasSeveralReceivers = false

    private var shared: BrokerMessage?
    private var template: Template?

    /// The bytes of a PUBLISH that differ between receivers only in the packet identifier.
    private struct Template {
        let shape: Shape
        let bytes: ByteBuffer
        /// The position of the packet identifier, counted from the first byte.
        let packetID: Int
    }

    /// All that determines the bytes besides the message.
    private struct Shape: Equatable {
        let isVersion5: Bool
        let qos: QoS
        let retain: Bool
        let identifiers: [UInt32]
    }

    /// A publication of a packet from a client.
    ///
    /// - Parameter packet: Without topic alias and subscription identifiers, which belong to one hop [MQTT-3.3.4-6].
    package init(_ packet: borrowing Publish, topic: TopicName, now: Timestamp) {
        self.topic = topic
        self.payload = packet.payload
        self.qos = packet.qos
        self.retain = packet.retain
        self.properties = packet.properties
        self.expiresAt = packet.properties.messageExpiryInterval.map { now + .seconds(Int64($0)) }
        self.isFromStore = false
    }

    /// A publication of a message that the broker holds.
    package init(_ message: BrokerMessage, isFromStore: Bool = false) {
        self.topic = message.topic
        self.payload = message.payload
        self.qos = message.qos
        self.retain = message.retain
        self.properties = message.properties
        self.expiresAt = message.expiresAt
        self.isFromStore = isFromStore
        self.shared = message
    }

    /// The message as it is queued for receivers that cannot take it now.
    ///
    /// - Parameter ledger: Counts the message if it is created here.
    package mutating func message(_ ledger: (any MessageLedger)? = nil) -> BrokerMessage {
        if let shared { return shared }
        let message = BrokerMessage(
            topic: self.topic, payload: self.payload, qos: self.qos, retain: self.retain, properties: self.properties,
            expiresAt: self.expiresAt, number: self.number, ledger: ledger)
        self.shared = message
        return message
    }

    /// The packet for one receiver.
    func packet(_ grant: DeliveryTerms, packetID: PacketID?, dup: Bool = false, now: Timestamp) -> Publish {
        var packet = Publish(
            topic: self.topic, payload: self.payload, qos: grant.qos, retain: grant.retain, dup: dup,
            packetID: packetID,
            properties: self.properties)
        packet.addHop(grant.identifiers, expiresAt: self.expiresAt, now: now)
        return packet
    }

    /// Appends the packet. Uses the bytes made for another receiver if they differ only in the packet identifier.
    mutating func write(
        _ grant: DeliveryTerms, packetID: PacketID?, version: ProtocolVersion, now: Timestamp,
        into out: inout ByteBuffer
    ) throws(EncodingError) {
        let shape = Shape(
            isVersion5: version == .v5_0, qos: grant.qos, retain: grant.retain, identifiers: grant.identifiers)
        if let template, template.shape == shape {
            let start = out.writerIndex
            out.writeImmutableBuffer(template.bytes)
            if let packetID { out.setInteger(packetID.rawValue, at: start + template.packetID) }
            return
        }
        let packet = self.packet(grant, packetID: packetID, now: now)
        guard self.hasSeveralReceivers, self.payload.readableBytes <= Self.largestTemplate else {
            return try packet.encode(into: &out, version: version)
        }
        var bytes = ByteBuffer()
        try packet.encode(into: &bytes, version: version)
        out.writeImmutableBuffer(bytes)
        // After the fixed header, of one byte and the length, and the topic.
        let size = bytes.readableBytes
        let header = size < 130 ? 2 : size < 16_387 ? 3 : size < 2_097_156 ? 4 : 5
        self.template = Template(
            shape: shape, bytes: bytes, packetID: header + 2 + self.topic.string.utf8.count)
    }

    /// Larger payloads are encoded for each receiver instead of being copied once more for all.
    private static var largestTemplate: Int { 32 << 10 }
}

/// How one receiver gets a message: the result of its subscriptions.
package struct DeliveryTerms: Equatable, Sendable {
    package var qos: QoS
    package var retain: Bool
    /// The identifiers of the matching subscriptions that have one [MQTT-3.3.4-3].
    package var identifiers: [UInt32]
    /// The shared subscription that chose this receiver.
    package var group: TopicFilter?

    package init(qos: QoS, retain: Bool, identifiers: [UInt32] = [], group: TopicFilter? = nil) {
        self.qos = qos
        self.retain = retain
        self.identifiers = identifiers
        self.group = group
    }
}

extension Publish {
    /// Adds what belongs to this hop, and counts the expiry interval down by the time that the message has waited.
    mutating func addHop(_ identifiers: [UInt32], expiresAt: Timestamp?, now: Timestamp) {
        self.countDownExpiry(to: expiresAt, now: now)
        for identifier in identifiers { self.properties.list.append(.subscriptionIdentifier(identifier)) }
    }
}

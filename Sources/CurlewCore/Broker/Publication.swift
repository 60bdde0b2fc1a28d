package import NIOCore

/// One message on its way through the broker to everybody who has subscribed to it.
///
/// What all of them need is made once, by the first that needs it: the shared message that waits in queues, and the bytes on the wire.
package struct Publication: Sendable {
    package let topic: TopicName
    package let payload: ByteBuffer
    package let qos: QoS
    package let retain: Bool
    package let properties: Properties
    package let expiresAt: Timestamp?
    /// Whether it is a message that was retained before, sent because of a new subscription.
    package let isFromStore: Bool
    /// What a store knows the message by; 0 where nothing is stored.
    package var number: UInt64 = 0
    /// Whether there are several receivers, so that their bytes are worth keeping.
    package var hasSeveralReceivers = false

    private var shared: BrokerMessage?
    private var template: Template?

    /// The bytes of a PUBLISH that differ between receivers by the packet identifier alone.
    private struct Template {
        let shape: Shape
        let bytes: ByteBuffer
        /// Where the packet identifier stands, counted from the first byte.
        let packetID: Int
    }

    /// All that the bytes depend on besides the message.
    private struct Shape: Equatable {
        let isVersion5: Bool
        let qos: QoS
        let retain: Bool
        let identifiers: [UInt32]
    }

    /// Makes one of what a client published.
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

    /// Makes one of a message that the broker holds.
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

    /// The message as it waits for those who cannot take it now.
    ///
    /// - Parameter ledger: Counts it, if it is made here.
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

    /// Appends the packet, from bytes that were made for another receiver where these are the same but for the packet identifier.
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
        // Behind the fixed header, of one byte and the length, and the topic.
        let size = bytes.readableBytes
        let header = size < 130 ? 2 : size < 16_387 ? 3 : size < 2_097_156 ? 4 : 5
        self.template = Template(
            shape: shape, bytes: bytes, packetID: header + 2 + self.topic.string.utf8.count)
    }

    /// Payloads beyond this are copied anew for each receiver rather than once more for all.
    private static var largestTemplate: Int { 32 << 10 }
}

/// How one receiver gets a message: the outcome of its subscriptions.
package struct DeliveryTerms: Equatable, Sendable {
    package var qos: QoS
    package var retain: Bool
    /// Of the subscriptions that match, those that have one [MQTT-3.3.4-3].
    package var identifiers: [UInt32]
    /// The shared subscription that it was chosen by.
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

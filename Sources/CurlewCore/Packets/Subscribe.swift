package import NIOCore

/// SUBSCRIBE: a client requests the messages that match some topic filters (MQTT 5.0 section 3.8).
package struct Subscribe: Equatable, Sendable {
    package var packetID: PacketID
    /// At least one [MQTT-3.8.3-2].
    package var subscriptions: [Subscription]
    package var properties: Properties

    package init(_ packetID: PacketID, _ subscriptions: [Subscription], properties: Properties = Properties()) {
        self.packetID = packetID
        self.subscriptions = subscriptions
        self.properties = properties
    }

    /// One topic filter with its options.
    package struct Subscription: Equatable, Sendable {
        package var filter: TopicFilter
        package var options: SubscriptionOptions

        package init(_ filter: TopicFilter, _ options: SubscriptionOptions = SubscriptionOptions()) {
            self.filter = filter
            self.options = options
        }
    }
}

/// The options of a subscription (MQTT 5.0 section 3.8.3.1). All except the QoS require 5.0.
public struct SubscriptionOptions: Hashable, Sendable {
    /// The maximum QoS of delivered messages; messages published at a higher one are delivered at this one.
    /// Default: 2.
    public var qos: QoS
    /// Whether the server withholds messages published by this connection. Default: `false`.
    public var noLocal: Bool
    /// Whether a forwarded message keeps the retain flag with which it was published. Default: `false`.
    public var retainAsPublished: Bool
    /// When the server sends the matching retained messages. Default: with each SUBSCRIBE.
    public var retainHandling: RetainHandling

    /// Creates options. The defaults are the standard's, except for QoS 2, which delivers each message at the QoS
    /// of its publisher.
    public init(
        qos: QoS = .exactlyOnce, noLocal: Bool = false, retainAsPublished: Bool = false,
        retainHandling: RetainHandling = .sendAtSubscribe
    ) {
        self.qos = qos
        self.noLocal = noLocal
        self.retainAsPublished = retainAsPublished
        self.retainHandling = retainHandling
    }

    /// When a server sends the retained messages that match a new subscription.
    public enum RetainHandling: UInt8, Sendable, Hashable, CaseIterable {
        /// With each SUBSCRIBE.
        case sendAtSubscribe = 0
        /// Only if the subscription did not exist before.
        case sendIfNew = 1
        /// Never.
        case doNotSend = 2
    }
}

// MARK: - Decoding

extension Subscribe {
    init(from reader: inout PacketReader) throws(DecodingError) {
        self.init(try reader.packetID(), [], properties: try reader.properties())
        while !reader.isAtEnd {
            let filter = try reader.topicFilter()
            let options = try SubscriptionOptions(reader.byte(), version: reader.version)
            // [MQTT-3.8.3-4]
            guard !options.noLocal || filter.shareName == nil else { throw .noLocalOnSharedSubscription }
            self.subscriptions.append(Subscription(filter, options))
        }
        guard !self.subscriptions.isEmpty else { throw .noEntries(.subscribe) }  // [MQTT-3.8.3-2]
    }
}

extension SubscriptionOptions {
    /// Decodes the options byte (section 3.8.3.1). Before 5.0, all bits except the QoS are reserved.
    fileprivate init(_ byte: UInt8, version: ProtocolVersion) throws(DecodingError) {
        let reserved: UInt8 = version == .v5_0 ? 0b1100_0000 : 0b1111_1100
        guard byte & reserved == 0 else { throw .reservedBits(.subscribe) }  // [MQTT-3.8.3-5]
        guard let qos = QoS(rawValue: byte & 0b11), let handling = RetainHandling(rawValue: byte >> 4 & 0b11) else {
            throw .subscriptionOptions
        }
        self.init(
            qos: qos, noLocal: byte & 0b0100 != 0, retainAsPublished: byte & 0b1000 != 0, retainHandling: handling
        )
    }

    fileprivate var byte: UInt8 {
        self.qos.rawValue | (self.noLocal ? 0b0100 : 0) | (self.retainAsPublished ? 0b1000 : 0)
            | self.retainHandling.rawValue << 4
    }
}

// MARK: - Encoding

extension Subscribe {
    /// Appends the packet. When it throws, nothing was appended.
    ///
    /// Before 5.0, the properties are omitted, and options other than the QoS cannot be sent, because they change
    /// what is delivered.
    package func encode(into buffer: inout ByteBuffer, version: ProtocolVersion) throws(EncodingError) {
        let (size, remaining) = try self.sizes(version: version)
        buffer.writePacket(PacketType.subscribe.firstByte, remaining: remaining) { writer in
            writer.write(self.packetID.rawValue)
            writer.write(self.properties, contentSize: size, version: version)
            for subscription in self.subscriptions {
                writer.write(text: subscription.filter.string)
                writer.write(subscription.options.byte)
            }
        }
    }

    /// The size of the whole packet in bytes, as a peer's Maximum Packet Size counts it.
    package func encodedSize(version: ProtocolVersion) throws(EncodingError) -> Int {
        EncodedSize.packet(remaining: try self.sizes(version: version).remaining)
    }

    private func sizes(version: ProtocolVersion) throws(EncodingError) -> (properties: Int, remaining: Int) {
        guard !self.subscriptions.isEmpty else { throw .invalid("A SUBSCRIBE needs a topic filter.") }
        let size = try self.properties.contentSize(in: .subscribe, of: .subscribe, version: version)
        var remaining = 2 + Properties.size(size, version: version)
        for subscription in self.subscriptions {
            try subscription.check(version: version)
            remaining += EncodedSize.topic(subscription.filter) + 1
        }
        return (size, try EncodedSize.checked(remaining: remaining))
    }
}

extension Subscribe.Subscription {
    fileprivate func check(version: ProtocolVersion) throws(EncodingError) {
        guard !self.options.noLocal || self.filter.shareName == nil else {
            throw .invalid("A shared subscription cannot leave out what its own client publishes.")
        }
        if version == .v5_0 { return }
        if self.options.noLocal { throw .notSupported("the option noLocal of a subscription", version) }
        if self.options.retainAsPublished {
            throw .notSupported("the option retainAsPublished of a subscription", version)
        }
        if self.options.retainHandling != .sendAtSubscribe {
            throw .notSupported("the option retainHandling of a subscription", version)
        }
    }
}

import NIOCore

/// Writes PUBLISH packets as one connection allows: within the receiver's Maximum Packet Size, and with a topic alias
/// where that saves bytes.
///
/// Lives as long as the connection.
struct PublishWriter: Sendable {
    let version: ProtocolVersion
    /// `nil` for no limit [MQTT-3.1.2-24] [MQTT-3.2.2-15].
    let maximumPacketSize: UInt32?
    private var aliases: OutgoingTopicAliases

    /// An alias takes three bytes, and may make both lengths before it longer.
    private static var roomForAlias: Int { 5 }

    /// - Parameter topicAliasMaximum: How many aliases to use, no more than the receiver accepts [MQTT-3.1.2-29]
    ///   [MQTT-3.1.2-30] [MQTT-3.2.2-17] [MQTT-3.2.2-18].
    init(version: ProtocolVersion, maximumPacketSize: UInt32?, topicAliasMaximum: UInt16) {
        self.version = version
        self.maximumPacketSize = maximumPacketSize
        self.aliases = OutgoingTopicAliases(maximum: topicAliasMaximum)
    }

    /// Whether a packet has the same bytes on this connection as on others, and always fits.
    var isUnrestricted: Bool { self.maximumPacketSize == nil && self.aliases.maximum == 0 }

    /// The approximate size of the topics with an alias.
    var aliasBytes: Int { self.aliases.byteCount }

    /// Appends a packet that names its topic. When it throws, nothing was appended.
    @inline(__always)
    mutating func write(_ packet: inout Publish, into out: inout ByteBuffer) throws(Rejection) {
        var room = Int.max
        if let maximum = self.maximumPacketSize { room = try self.room(for: packet, maximum) }
        if self.aliases.maximum > 0, !packet.dup, room >= Self.roomForAlias { self.assignAlias(to: &packet) }
        do throws(EncodingError) {
            try packet.encode(into: &out, version: self.version)
        } catch {
            if packet.topic != nil, let alias = packet.topicAlias { self.aliases.withdraw(alias) }
            throw .encoding(error)
        }
    }

    /// How many bytes more the packet may take.
    private func room(for packet: Publish, _ maximum: UInt32) throws(Rejection) -> Int {
        let size: Int
        do throws(EncodingError) {
            size = try packet.encodedSize(version: self.version)
        } catch {
            throw .encoding(error)
        }
        guard size <= maximum else { throw .packetTooLarge(size: size, maximum: maximum) }
        return Int(clamping: maximum) - size
    }

    private mutating func assignAlias(to packet: inout Publish) {
        guard let topic = packet.topic else { return }
        switch self.aliases.assign(topic) {
        case .introduce(let alias): packet.topicAlias = alias
        case .use(let alias):
            packet.topicAlias = alias
            packet.topic = nil
        case .none: break
        }
    }
}

extension Publish {
    /// Counts the expiry interval down by the time that the message has waited [MQTT-3.3.2-6].
    mutating func countDownExpiry(to expiresAt: Timestamp?, now: Timestamp) {
        guard let expiresAt, let interval = self.properties.messageExpiryInterval else { return }
        // A message that is sent again may be late; an interval of 0 comes from the publisher.
        let left = UInt32(clamping: max(1, (expiresAt - now).components.seconds))
        if left < interval { self.properties.messageExpiryInterval = left }
    }
}

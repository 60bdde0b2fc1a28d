/// The messages at QoS 1 and 2 that the peer has in flight on one connection, against the Receive Maximum that it was
/// told.
///
/// Lives as long as the connection.
struct ReceiveWindow: Sendable {
    /// QoS 2 messages, until PUBCOMP or a PUBREC that refuses. Bounded by `maximum`.
    private var exactlyOnce: Set<PacketID> = []
    /// The number of QoS 1 messages that are not acknowledged.
    private var atLeastOnce = 0
    private let maximum: Int

    /// - Parameter maximum: The Receive Maximum.
    init(maximum: UInt16 = .max) { self.maximum = Int(maximum) }

    /// The approximate size in memory.
    var byteCount: Int { self.exactlyOnce.count * 4 }

    /// Whether a QoS 2 message with this identifier has come on this connection and is not finished.
    func contains(_ id: PacketID) -> Bool { self.exactlyOnce.contains(id) }

    /// A PUBLISH arrived. Returns whether there is a place for it [MQTT-3.3.4-9]. A QoS 2 message that comes again has
    /// one already.
    mutating func receivedPublish(_ id: PacketID, _ qos: QoS) -> Bool {
        if qos == .exactlyOnce, self.exactlyOnce.contains(id) { return true }
        guard self.atLeastOnce + self.exactlyOnce.count < self.maximum else { return false }
        if qos == .exactlyOnce { self.exactlyOnce.insert(id) } else { self.atLeastOnce += 1 }
        return true
    }

    /// PUBACK was sent.
    mutating func acknowledged() { self.atLeastOnce -= 1 }

    /// The exchange of a QoS 2 message is over.
    mutating func finished(_ id: PacketID) { self.exactlyOnce.remove(id) }
}

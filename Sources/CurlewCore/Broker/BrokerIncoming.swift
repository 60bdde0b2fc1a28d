/// What the broker remembers of a client's own messages at QoS 1 and 2 (MQTT 5.0 section 4.3).
///
/// A QoS 2 message is routed when its PUBLISH arrives, and its identifier remembered until PUBREL so that it is not
/// routed twice.
package struct BrokerIncoming: Sendable {
    // MARK: As long as the session

    /// QoS 2 messages that were routed and not released. Bounded by the 65,535 packet identifiers.
    private var received: Set<PacketID> = []

    // MARK: As long as the connection

    /// What the client has in flight.
    private var window = ReceiveWindow()

    /// Starts with the messages remembered from earlier connections.
    package init(received: Set<PacketID> = []) { self.received = received }

    /// The number of QoS 2 messages remembered.
    package var remembered: Int { self.received.count }

    /// Their approximate size in memory.
    package var byteCount: Int { self.received.count * 4 + self.window.byteCount }

    /// A connection begins. A client before 5.0 cannot be told a maximum, so none applies.
    package mutating func connected(receiveMaximum: UInt16?) {
        self.window = ReceiveWindow(maximum: receiveMaximum ?? .max)
    }

    /// What to do with a PUBLISH at QoS 1 or 2.
    package enum ReceivedPublish: Equatable, Sendable {
        /// Route it, and acknowledge it.
        case new
        /// It was routed before: only acknowledge it [MQTT-4.3.3-10].
        case duplicate
        /// The client has exceeded the Receive Maximum [MQTT-3.3.4-9].
        case receiveMaximumExceeded
    }

    package mutating func receivedPublish(_ id: PacketID, qos: QoS) -> ReceivedPublish {
        guard self.window.receivedPublish(id, qos) else { return .receiveMaximumExceeded }
        guard qos == .exactlyOnce else { return .new }
        return self.received.insert(id).inserted ? .new : .duplicate
    }

    /// PUBACK was written.
    package mutating func acknowledged() { self.window.acknowledged() }

    /// PUBREC was written with a reason code that refuses the message: the identifier is free [MQTT-4.3.3-9].
    package mutating func refused(_ id: PacketID) {
        self.received.remove(id)
        self.window.finished(id)
    }

    /// PUBREL arrived. Returns the reason code of PUBCOMP [MQTT-4.3.3-11].
    package mutating func receivedPubrel(_ id: PacketID) -> ReasonCode {
        self.window.finished(id)
        return self.received.remove(id) == nil ? .packetIdentifierNotFound : .success
    }
}

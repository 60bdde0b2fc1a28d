/// What the broker remembers of a client's own messages at QoS 1 and 2 (MQTT 5.0 section 4.3).
///
/// A QoS 2 message is passed on when its PUBLISH comes, and its identifier remembered until PUBREL so that it is not passed on twice.
package struct BrokerIncoming: Sendable {
    // MARK: As long as the session

    /// QoS 2 messages that were passed on and not released. Bounded by the 65,535 packet identifiers.
    private var received: Set<PacketID> = []

    // MARK: As long as the connection

    /// Of these, those of this connection, which count against the Receive Maximum.
    private var receivedOnConnection: Set<PacketID> = []
    /// QoS 1 messages that are not acknowledged yet.
    private var unacknowledged = 0
    /// How many the client may have in flight; what we told it in CONNACK.
    private var receiveMaximum = Int(UInt16.max)

    /// Begins with what is remembered of earlier connections.
    package init(received: Set<PacketID> = []) { self.received = received }

    /// How many QoS 2 messages are remembered.
    package var remembered: Int { self.received.count }

    /// What that takes in memory, roughly.
    package var byteCount: Int { (self.received.count + self.receivedOnConnection.count) * 4 }

    /// A connection begins. Before 5.0 a client cannot be told a maximum, and is not held to one.
    package mutating func connected(receiveMaximum: UInt16?) {
        self.receiveMaximum = Int(receiveMaximum ?? .max)
        self.receivedOnConnection = []
        self.unacknowledged = 0
    }

    /// What to do with a PUBLISH at QoS 1 or 2.
    package enum ReceivedPublish: Equatable, Sendable {
        /// Pass it on, and acknowledge it.
        case deliver
        /// It was passed on before: acknowledge it only [MQTT-4.3.3-10].
        case duplicate
        /// The client has more in flight than it was told [MQTT-3.3.4-9].
        case receiveMaximumExceeded
    }

    package mutating func receivedPublish(_ id: PacketID, qos: QoS) -> ReceivedPublish {
        guard qos == .exactlyOnce else {
            guard self.unacknowledged + self.receivedOnConnection.count < self.receiveMaximum else {
                return .receiveMaximumExceeded
            }
            self.unacknowledged += 1
            return .deliver
        }
        if !self.receivedOnConnection.contains(id) {
            guard self.unacknowledged + self.receivedOnConnection.count < self.receiveMaximum else {
                return .receiveMaximumExceeded
            }
            self.receivedOnConnection.insert(id)
        }
        return self.received.insert(id).inserted ? .deliver : .duplicate
    }

    /// PUBACK was written.
    package mutating func acknowledged() { self.unacknowledged -= 1 }

    /// PUBREC was written with a reason code that refuses the message: the identifier is free [MQTT-4.3.3-9].
    package mutating func refused(_ id: PacketID) {
        self.received.remove(id)
        self.receivedOnConnection.remove(id)
    }

    /// PUBREL came: returns the reason code of PUBCOMP [MQTT-4.3.3-11].
    package mutating func receivedPubrel(_ id: PacketID) -> ReasonCode {
        self.receivedOnConnection.remove(id)
        return self.received.remove(id) == nil ? .packetIdentifierNotFound : .success
    }
}

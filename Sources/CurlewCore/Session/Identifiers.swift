/// What the owner of a session calls a request by: each that a machine accepts comes back in exactly one
/// ``Completion``.
package struct RequestID: Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) { self.rawValue = rawValue }

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// What the owner of a session calls a local subscriber by: one stream of messages, of which several may share a
/// filter.
package struct SubscriberID: Hashable, Sendable {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// What tells an incoming message at QoS 1 or 2 that waits to be acknowledged.
package struct DeliveryToken: Hashable, Sendable {
    /// Counts the arrivals for as long as there is a session, over connections and ends; never used twice.
    let sequence: UInt64
    let packetID: PacketID
    let qos: QoS
}

/// The end of a request that a session had accepted.
package struct Completion: Equatable, Sendable {
    package var request: RequestID
    package var outcome: Outcome

    /// How it ended.
    package enum Outcome: Equatable, Sendable {
        /// The publish was written (QoS 0), or acknowledged with this reason code, success or failure (QoS 1 and 2).
        case published(ReasonCode, reason: String?)
        /// The server granted or refused the filter.
        case subscribed(ReasonCode, reason: String?)
        /// The server answered the UNSUBSCRIBE, or nothing is left to unsubscribe from.
        case unsubscribed(ReasonCode)
        /// It was not and will not be sent: the message can't be sent on this connection, or its time ran out in the
        /// queue.
        case rejected(Rejection)
        /// It was sent and can't be sent again: nobody knows whether it arrived.
        case abandoned(Rejection)
        /// The owner wanted nothing more. `mayHaveBeenSent` tells a lost request from one whose outcome nobody knows.
        case sessionEnded(mayHaveBeenSent: Bool)
    }
}

/// Why a request is turned down before anything is sent.
package enum Rejection: Error, Equatable, Sendable {
    /// The server's CONNACK allows no QoS above this.
    case qosAboveMaximum(QoS)
    /// The server's CONNACK says that it keeps no retained messages.
    case retainNotAvailable
    /// The packet is larger than the server's Maximum Packet Size.
    case packetTooLarge(size: Int, maximum: UInt32)
    /// The server's CONNACK allows no wildcard in a filter.
    case wildcardsNotAvailable
    /// The server's CONNACK allows no shared subscription.
    case sharedSubscriptionsNotAvailable
    /// Another subscriber of this filter asked for other options.
    case conflictingOptions
    /// No more packet identifiers, or too much waits to be sent already.
    case queueFull
    /// The message expired before it could be sent.
    case expired
    /// A value does not fit the protocol version or the format.
    case encoding(EncodingError)
    /// The server forgot the exchange after PUBREC, before PUBCOMP.
    case sessionLost
    /// It was unanswered when so many connections in a row ended, and a connection without it did not end.
    case brokeConnections(Int, Subject)

    /// What broke connections.
    package enum Subject: Hashable, Sendable {
        case message(TopicName)
        /// A message at QoS 2 that the server had received, and whose PUBREL ends the connection.
        case release
        case subscription(TopicFilter)
        case unsubscription(TopicFilter)
    }
}

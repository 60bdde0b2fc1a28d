/// Identifies a request of the session's owner. Each accepted request ends with exactly one ``Completion``.
package struct RequestID: Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) { self.rawValue = rawValue }

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Identifies a local subscriber of the session's owner: one stream of messages. Several may share a filter.
package struct SubscriberID: Hashable, Sendable {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// Identifies an incoming message at QoS 1 or 2 that waits to be acknowledged.
package struct DeliveryToken: Hashable, Sendable {
    /// Counts the arrivals for the life of the session, across connections and ends; never used twice.
    let sequence: UInt64
    let packetID: PacketID
    let qos: QoS
}

/// The end of an accepted request.
package struct Completion: Equatable, Sendable {
    package var request: RequestID
    package var outcome: Outcome

    /// How the request ended.
    package enum Outcome: Equatable, Sendable {
        /// The publish was written (QoS 0), or acknowledged with this reason code, success or failure (QoS 1 and 2).
        case published(ReasonCode, reason: String?)
        /// The server granted or refused the filter.
        case subscribed(ReasonCode, reason: String?)
        /// The server answered the UNSUBSCRIBE, or nothing is left to unsubscribe from.
        case unsubscribed(ReasonCode)
        /// The message was not and will not be sent: this connection does not permit it, or it expired in the queue.
        case rejected(Rejection)
        /// The message was sent and cannot be sent again: its outcome is unknown.
        case abandoned(Rejection)
        /// The owner ended the session. `mayHaveBeenSent` distinguishes a request that was never sent from one with an
        /// unknown outcome.
        case sessionEnded(mayHaveBeenSent: Bool)
    }
}

/// Why a request is rejected before anything is sent.
package enum Rejection: Error, Equatable, Sendable {
    /// The server's CONNACK allows no higher QoS than this.
    case qosAboveMaximum(QoS)
    /// The server's CONNACK does not allow retained messages.
    case retainNotAvailable
    /// The packet is larger than the server's Maximum Packet Size.
    case packetTooLarge(size: Int, maximum: UInt32)
    /// The server's CONNACK allows no wildcards in filters.
    case wildcardsNotAvailable
    /// The server's CONNACK allows no shared subscriptions.
    case sharedSubscriptionsNotAvailable
    /// Another subscriber has requested this filter with other options.
    case conflictingOptions
    /// No packet identifier is free, or the outbox is full.
    case queueFull
    /// The message expired before it could be sent.
    case expired
    /// A value does not fit the protocol version or the format.
    case encoding(EncodingError)
    /// The server forgot the exchange after PUBREC, before PUBCOMP.
    case sessionLost
    /// It was unanswered when this number of consecutive connections ended, and a connection without it lasted.
    case packetAbandoned(Int, Subject)

    /// The packet that broke connections.
    package enum Subject: Hashable, Sendable {
        case message(TopicName)
        /// A QoS 2 message that the server had received, and whose PUBREL ended the connection.
        case release
        case subscription(TopicFilter)
        case unsubscription(TopicFilter)
    }
}

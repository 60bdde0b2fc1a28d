public import CurlewCore

/// What happens to the connection of a client. More cases may be added, so a `switch` needs an `@unknown default`.
#if hasAttribute(nonexhaustive)
@nonexhaustive
#endif
public enum MQTTEvent: Sendable {
    /// A connection is there. `isResumed` tells whether the server still had the session.
    case connected(server: String, version: ProtocolVersion, isResumed: Bool)
    /// The connection is lost, or was ended by the server.
    case disconnected(MQTTError?)
    /// A new connection is tried after this time, because of the error that ended the last one, or the last try. `attempt` counts
    /// from 1 since the last connection.
    case reconnecting(attempt: Int, after: Duration, because: MQTTError)
    /// The client has given up, or was disconnected: nothing more will happen.
    case stopped(MQTTError?)
    /// The queue of a subscription has dropped so many messages at once.
    case messagesDropped(filters: [TopicFilter], count: Int)
    /// No subscription has taken so many messages at QoS 1 and 2 within the bounds of ``MQTTConfiguration/UnclaimedQueue``.
    /// They are acknowledged now, and lost to this client. `topics` are some of theirs, eight at the most.
    case messagesUnclaimed(topics: [TopicName], count: Int)
    /// The server sent a message that is larger than ``MQTTConfiguration/Session/maximumPacketSize``, or has more than 1,024
    /// properties. It was left out, and acknowledged so that it does not come for ever. The error says which limit it breaks.
    case messageLeftOut(topic: TopicName, MQTTError)
    /// A message was handed to a consumer who has not asked for another for so long, or waits in a subscription that nobody
    /// reads; acknowledgements behind it are held up.
    case acknowledgementStuck(topic: TopicName, age: Duration)
    /// The server had lost the session and refuses a filter now; the subscription has failed.
    case subscriptionLost(filters: [TopicFilter], ReasonCode?)
    /// The server has broken the protocol in a way that does no harm; told once for each way and connection.
    case protocolDeviation(String)
    /// Several connections in a row ended while the same packet was unanswered, and one without it did not: it is not sent again.
    case packetGivenUp(MQTTError)
}

/// The state of a client. More cases may be added, so a `switch` needs an `@unknown default`.
#if hasAttribute(nonexhaustive)
@nonexhaustive
#endif
public enum MQTTState: Sendable, Hashable {
    /// Not connected, and not trying: before `connect()`, and after `disconnect()`.
    case disconnected
    /// Trying to connect for the first time.
    case connecting
    /// Connected.
    case connected
    /// The connection was lost, and another is being tried.
    case reconnecting
    /// Finishing what was begun before the disconnection that was asked for.
    case disconnecting
}

/// What a client has done, and what it has still to do.
public struct MQTTStatistics: Sendable, Hashable {
    /// Publishes at QoS 1 and 2 that were sent and not fully acknowledged; subscribe and unsubscribe requests count as well.
    public var inFlight = 0
    /// Messages that wait in the outbox to be sent.
    public var queued = 0
    /// Their bytes.
    public var queuedBytes = 0
    /// Bytes that are encoded and not yet handed to the operating system.
    public var unsentBytes = 0
    /// Messages that were handed to consumers and not yet acknowledged to the server.
    public var unacknowledged = 0
    /// Messages published since the start.
    public var published = 0
    /// Messages received since the start.
    public var received = 0
    /// Messages at QoS 1 and 2 that wait, unacknowledged, for a subscription that takes them.
    public var unclaimed = 0
    /// Messages received that no subscription has taken.
    public var unrouted = 0
    /// Messages that the queues of subscriptions have dropped, or that were too large.
    public var dropped = 0
    /// Replies that came after their request had ended, or twice, or to a request of somebody else.
    public var unexpectedReplies = 0
    /// Packets with which the server broke the protocol without harm.
    public var deviations = 0
    /// Connections made after the first.
    public var reconnects = 0
    /// The time from PUBLISH to its acknowledgement, averaged over the recent ones; `nil` before the first.
    public var acknowledgementLatency: Duration?

    package init() {}
}

/// What was left when a client was disconnected.
public struct DrainReport: Sendable, Hashable {
    /// Messages that never left: publishing them again cannot make a second copy.
    public var notSent = 0
    /// Messages that left and were not acknowledged: whether they arrived is unknown.
    public var unknown = 0

    /// Whether everything was delivered.
    public var isClean: Bool { self.notSent == 0 && self.unknown == 0 }
}

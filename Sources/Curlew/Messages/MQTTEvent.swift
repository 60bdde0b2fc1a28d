public import CurlewCore

/// What happens to the connection of a client. More cases may be added, so a `switch` needs an `@unknown default`.
#if hasAttribute(nonexhaustive)
@nonexhaustive
#endif
public enum MQTTEvent: Sendable {
    /// The client is connected. `isResumed` says whether the broker still had the session.
    case connected(server: String, version: ProtocolVersion, isResumed: Bool)
    /// The connection was lost, or the broker ended it; the error says why. Not reported when the program disconnects.
    case disconnected(MQTTError)
    /// The client tries to connect again after this delay, because of the error that ended the last connection or
    /// attempt. `attempt` counts from 1 since the last connection.
    case reconnecting(attempt: Int, after: Duration, because: MQTTError)
    /// The client gave up, with this error, or was disconnected. No more events follow unless it connects again.
    case stopped(MQTTError?)
    /// The queue of a subscription dropped this many messages at once.
    case messagesDropped(filters: [TopicFilter], count: Int)
    /// No subscription took this many QoS 1 and 2 messages within the limits of ``MQTTConfiguration/UnclaimedQueue``.
    /// They are now acknowledged, and lost to this client. `topics` has at most eight of their topics.
    case messagesUnclaimed(topics: [TopicName], count: Int)
    /// The broker sent a message that is larger than ``MQTTConfiguration/Session/maximumPacketSize``, or has more than
    /// 1,024 properties. The client skipped it, and acknowledged it so that the broker does not send it again. The
    /// error names the limit.
    case messageSkipped(topic: TopicName, MQTTError)
    /// A consumer has held a message for this long without asking for the next one, or a message waits in a
    /// subscription that nobody reads. Acknowledgements of later messages wait.
    case acknowledgementStuck(topic: TopicName, age: Duration)
    /// The broker had lost the session and now refuses a filter; the subscription has failed.
    case subscriptionLost(filters: [TopicFilter], ReasonCode?)
    /// The broker violated the protocol harmlessly; reported once for each kind and connection.
    case protocolDeviation(String)
    /// Several connections in a row ended while the same packet was unanswered, and one without it did not end. The
    /// client does not send it again.
    case packetAbandoned(MQTTError)
}

/// The state of a client. More cases may be added, so a `switch` needs an `@unknown default`.
#if hasAttribute(nonexhaustive)
@nonexhaustive
#endif
public enum MQTTState: Sendable, Hashable {
    /// Not connected and not trying to connect: before `connect()`, and after `disconnect()`.
    case disconnected
    /// Trying to connect for the first time.
    case connecting
    /// Connected.
    case connected
    /// The connection was lost; the client is trying to connect again.
    case reconnecting
    /// `disconnect()` was called; the client is finishing outstanding work.
    case disconnecting
}

/// Messages that were not delivered when a client disconnected.
public struct DrainReport: Sendable, Hashable {
    /// Messages that were not sent: publishing them again cannot create duplicates.
    public var notSent = 0
    /// Messages that were sent and not acknowledged: whether they arrived is unknown.
    public var unknown = 0

    /// Whether everything was delivered.
    public var isClean: Bool { self.notSent == 0 && self.unknown == 0 }
}

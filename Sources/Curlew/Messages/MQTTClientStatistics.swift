/// Figures of a client: what it holds now, and what it has counted since its start.
public struct MQTTClientStatistics: Sendable, Hashable {
    /// Publishes at QoS 1 and 2 that were sent and are not fully acknowledged; includes subscribe and unsubscribe
    /// requests.
    public var inFlightPackets = 0
    /// Messages in the outbox that wait to be sent.
    public var queuedMessages = 0
    /// The size of these messages in bytes.
    public var queuedBytes = 0
    /// Bytes that are encoded and not yet handed to the operating system.
    public var unsentBytes = 0
    /// Messages that were dispatched to consumers and are not yet acknowledged to the server.
    public var unacknowledgedMessages = 0
    /// Messages published since the start.
    public var messagesPublished = 0
    /// Messages received since the start.
    public var messagesReceived = 0
    /// Messages at QoS 1 and 2 that wait, unacknowledged, for a subscription to take them.
    public var unclaimedMessages = 0
    /// Received messages that no subscription took.
    public var messagesUnrouted = 0
    /// Messages that the queues of subscriptions dropped, or that the client skipped because they exceed a limit.
    public var messagesDropped = 0
    /// Replies that arrived after their request ended, arrived twice, or belong to another client's request.
    public var unexpectedReplies = 0
    /// Packets in which the broker violated the protocol harmlessly.
    public var protocolDeviations = 0
    /// Connections after the first.
    public var reconnections = 0
    /// The time from PUBLISH to its acknowledgement, averaged over recent messages; `nil` before the first.
    public var acknowledgementLatency: Duration?

    package init() {}
}

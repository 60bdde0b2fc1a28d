/// What the broker has counted since its start.
public struct MQTTBrokerStatistics: Sendable, Hashable {
    /// Clients that are connected now.
    public var connectedClients = 0
    /// The most that there have been at once.
    public var maximumConnectedClients = 0
    /// Sessions, with those of clients that are away.
    public var sessions = 0
    /// Subscriptions of all clients.
    public var subscriptions = 0
    /// Retained messages.
    public var retainedMessages = 0
    /// Connections accepted since the start.
    public var connectionsAccepted = 0
    /// Packets of any type received since the start.
    public var packetsReceived = 0
    /// PUBLISH packets received since the start.
    public var messagesReceived = 0
    /// PUBLISH packets sent since the start.
    public var messagesSent = 0
    /// Messages given up for one receiver since the start.
    public var messagesDropped = 0
    /// Messages that no receiver had room for since the start; a publisher at QoS 1 or 2 that speaks 5.0 was told *quota exceeded*.
    public var messagesRefused = 0
    /// How often a publisher had to wait for a receiver that could not keep up, since the start.
    public var publishersHeld = 0
    /// Bytes received since the start.
    public var bytesReceived = 0
    /// Bytes sent since the start.
    public var bytesSent = 0
    /// Bytes of messages that wait for clients, are in flight to them, or are retained. Each message counts once, however many it waits for.
    public var queuedBytes = 0
    /// Bytes that all clients together make the broker hold, roughly: these messages, sessions, subscriptions, wills, and what connections
    /// have received of a packet or could not send yet. Bounded by ``MQTTBrokerConfiguration/Limits/maximumMemory``.
    public var heldBytes = 0
}

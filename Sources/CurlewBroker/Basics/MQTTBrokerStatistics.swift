/// Figures of a broker: what it holds now, and what it has counted since its start.
public struct MQTTBrokerStatistics: Sendable, Hashable {
    /// Clients that are connected now.
    public var connectedClients = 0
    /// The maximum number of clients that were connected at once.
    public var maximumConnectedClients = 0
    /// Sessions, including those of disconnected clients.
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
    /// Messages dropped since the start; a message that is dropped for several receivers counts several times.
    public var messagesDropped = 0
    /// Messages that no receiver had room for, since the start. Publishers at QoS 1 and 2 that speak 5.0 were told
    /// *quota exceeded*.
    public var messagesRefused = 0
    /// How often a publisher had to wait for a slow receiver, since the start.
    public var publishersHeld = 0
    /// Bytes received since the start.
    public var bytesReceived = 0
    /// Bytes sent since the start.
    public var bytesSent = 0
    /// Bytes of messages that wait for clients, are in flight to them, or are retained. Each message counts once,
    /// however many it waits for.
    public var queuedBytes = 0
    /// Bytes that all clients together make the broker hold, roughly: these messages, sessions, subscriptions, wills,
    /// and what connections have received of a packet or could not send yet. Bounded by
    /// ``MQTTBrokerConfiguration/Limits/maximumMemory``.
    public var heldBytes = 0
}

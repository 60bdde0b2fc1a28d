import CurlewCore

/// A client's connection as the engine sees it; on the connection's event loop only.
///
/// No message costs a call of its own: a connection is flushed once for all that it then has to send.
protocol HostedConnection: AnyObject {
    /// Sends all there is, in one write.
    func flush()

    /// The store has committed more than before.
    func changesCommitted()

    /// A second has passed.
    func tick(now: Timestamp)

    /// A receiver that the client waits for has drained its queue, or is gone.
    func released(by receiver: ObjectIdentifier)

    /// The rules have changed: disconnects a client that could not connect any more as it did.
    func recheckCredentials()

    /// The subscriptions of a session have ended: no more of their retained messages is delivered.
    func removeRetained(_ filters: Set<TopicFilter>, of session: HostedSession)

    /// Processes what the client has sent by now, then calls `body`, even if that has ended the connection.
    func settle(then body: @escaping @Sendable () -> Void)

    /// Tells the client why, and ends the connection.
    func close(_ reasonCode: ReasonCode, _ reason: String)

    /// Closes the connection after what the client has sent by now.
    func settleAndClose(_ reasonCode: ReasonCode, _ reason: String)

    /// Closes the connection because the client holds more of a full memory than others.
    func closeForMemory(_ expectation: MemoryBudget.Expectation)
}

public import Logging

extension MQTTClient {
    /// Connects, and stays connected: reconnects automatically until ``disconnect(drain:sessionExpiry:)``.
    ///
    /// Each configured server is tried once, unless `retrying` is set. With several calls at once, each returns when the one
    /// connection is there.
    ///
    /// - Parameter retrying: Whether to try again, as `reconnect` of the configuration says, until the first connection is there:
    ///   for services and devices that may start before their broker. Default: `false`.
    /// - Returns: Whether the broker has kept the session, with its subscriptions and undelivered messages, from before.
    /// - Throws: ``MQTTError``: `connectionFailed`, `connectionRefused` with the server's reason code, `authenticationFailed`,
    ///   `timedOut`, `cancelled` or `clientStopped`. What waits for the connection then waits for another call.
    @discardableResult
    public nonisolated(nonsending) func connect(retrying: Bool = false) async throws -> Bool {
        try await self.engine.connect(retriesFirst: retrying)
    }

    /// Disconnects: takes nothing new, waits until everything accepted is sent and acknowledged, says goodbye and closes.
    ///
    /// Subscriptions end when what is in their queues has been read. The will is not published. Afterwards `publish`,
    /// `enqueue`, `subscribe` and `request` throw `clientStopped`, until ``connect(retrying:)`` is called again.
    ///
    /// Several calls at once wait together, and return the same report; the first whose time is over, or whose task is
    /// cancelled, ends the wait for all of them.
    ///
    /// - Parameters:
    ///   - drain: How long to wait for what is under way. Default: `connection.drainTimeout`, 10 seconds. Zero drops it.
    ///   - sessionExpiry: How long the server keeps the session from now on (MQTT 5.0 section 3.14.2.2.2); fractions of a
    ///     second are rounded up. A session that was to end with its connection, as `session.expiry` says, cannot be kept:
    ///     then another value is not sent, and a warning logged. Before 5.0 it means nothing. Default: as `session.expiry`
    ///     says; but a session that nobody can ask for again ends at once: one that started clean under an identifier that was
    ///     generated or assigned.
    /// - Returns: What was left undone. Each such publish has also thrown.
    @discardableResult
    public nonisolated(nonsending) func disconnect(
        drain: Duration? = nil, sessionExpiry: MQTTConfiguration.Expiry? = nil
    ) async -> DrainReport {
        await self.engine.disconnect(drain: drain, sessionExpiry: sessionExpiry)
    }

    /// Connects, runs `body`, then disconnects, also if `body` throws or its task is cancelled.
    ///
    /// ```swift
    /// try await MQTTClient.withConnection("mqtt://localhost") { client in
    ///     try await client.publish("on", to: "home/lamp", qos: .atLeastOnce)
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - url: The URL of the broker: `mqtt://[user[:password]@]host[:port]`, or `mqtts://` for TLS.
    ///   - logger: Where to log to. Default: a logger that logs nothing.
    ///   - body: Uses the client while it is connected.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws; and ``MQTTError``, as ``init(_:logger:)-(String,_)`` and ``connect(retrying:)`` do.
    public static nonisolated(nonsending) func withConnection<Result>(
        _ url: String, logger: Logger? = nil, _ body: (MQTTClient) async throws -> Result
    ) async throws -> Result {
        try await self.withConnection(MQTTConfiguration(url: url), logger: logger, body)
    }

    /// Connects, runs `body`, then disconnects, also if `body` throws or its task is cancelled.
    ///
    /// - Parameters:
    ///   - configuration: To which servers to connect, and how.
    ///   - logger: Where to log to. Default: a logger that logs nothing.
    ///   - body: Uses the client while it is connected.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws; and ``MQTTError``, as ``init(_:logger:)-(MQTTConfiguration,_)`` and ``connect(retrying:)`` do.
    public static nonisolated(nonsending) func withConnection<Result>(
        _ configuration: MQTTConfiguration, logger: Logger? = nil, _ body: (MQTTClient) async throws -> Result
    ) async throws -> Result {
        let client = try MQTTClient(configuration, logger: logger)
        try await client.connect()
        do {
            let result = try await body(client)
            await client.disconnect()
            return result
        } catch {
            await client.disconnect()
            throw error
        }
    }
}

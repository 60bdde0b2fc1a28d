public import Logging

extension MQTTClient {
    /// Connects and stays connected: reconnects automatically until ``disconnect(drain:sessionExpiry:)``.
    ///
    /// Tries each configured broker once, unless `retrying` is `true`. Concurrent calls share one connection, and the
    /// `retrying` of the first one; each returns when it is established. If one of them is cancelled or reaches its
    /// `timeout`, only this one throws. Returns immediately if the client was connected before and is still connected or
    /// reconnecting. After the client was disconnected or has given up, it connects again.
    ///
    /// - Parameters:
    ///   - retrying: Whether to retry, with the delays and limits of `reconnect` in the configuration, until the first
    ///     connection is established: for services and devices that may start before their broker. Default: `false`.
    ///   - timeout: How long to wait for the connection. When the time of the last waiting call is up, the client stops
    ///     trying. Default: no limit; each attempt has those of `connection.connectTimeout` and
    ///     `connection.handshakeTimeout`.
    /// - Returns: Whether the broker still had the session, with its subscriptions and undelivered messages.
    /// - Throws: ``MQTTError``: `connectionFailed`, `connectionRefused` with the broker's reason code,
    ///   `authenticationFailed`, `protocolViolation`, `timedOut`, `cancelled` or `clientStopped`;
    ///   `notSupportedByProtocolVersion` or `invalidConfiguration` if CONNECT cannot express the configuration or the
    ///   provided credentials. Calls that wait for a connection then keep waiting for the next `connect`.
    @discardableResult
    public nonisolated(nonsending) func connect(
        retrying: Bool = false, timeout: Duration? = nil
    ) async throws -> Bool {
        try await self.engine.connect(retriesFirst: retrying, within: timeout)
    }

    /// Waits until all accepted messages are sent and acknowledged, then disconnects.
    ///
    /// New calls are refused meanwhile. Subscriptions end after their consumers have read the messages in their queues.
    /// The call does not wait for that: what a consumer has not finished is no longer acknowledged, and a broker that
    /// keeps the session delivers it again. The subscriptions of such a session are kept. The broker does not publish
    /// the will. Afterwards `publish`, `enqueue`, `subscribe` and `request` throw
    /// `clientStopped` until ``connect(retrying:timeout:)`` is called again.
    ///
    /// Concurrent calls wait together and return the same report. The first one that reaches its time limit, or whose
    /// task is cancelled, ends the wait for all of them.
    ///
    /// - Parameters:
    ///   - drain: How long to wait for queued and unacknowledged messages. `.zero` drops them. Default:
    ///     `connection.drainTimeout`, 10 seconds.
    ///   - sessionExpiry: How long the broker keeps the session from now on (MQTT 5.0 section 3.14.2.2.2). Fractions of
    ///     a second are rounded up. If `session.expiry` is zero, only zero is permitted: another value is not sent, and
    ///     the client logs a warning. Ignored before 5.0. Default: `session.expiry`, or zero for a session that no
    ///     later client can resume, because it was clean and its client identifier was generated or assigned.
    /// - Returns: How many messages were not delivered. The calls that published them have thrown.
    @discardableResult
    public nonisolated(nonsending) func disconnect(
        drain: Duration? = nil, sessionExpiry: MQTTConfiguration.Expiry? = nil
    ) async -> DrainReport {
        await self.engine.disconnect(drain: drain, sessionExpiry: sessionExpiry)
    }

    /// Connects, runs `body`, then disconnects, even if `body` throws or its task is cancelled.
    ///
    /// A subscription that only `body` holds ends before the disconnect, and so is not kept for the next run.
    ///
    /// ```swift
    /// try await MQTTClient.withConnection("mqtt://localhost") { client in
    ///     try await client.publish("on", to: "home/lamp", qos: .atLeastOnce)
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - url: The URL of the broker: `mqtt://[user[:password]@]host[:port]`, or `mqtts://` for TLS.
    ///   - logger: The logger to use. Default: a logger that logs nothing.
    ///   - body: Uses the client while it is connected.
    /// - Returns: What `body` returns.
    /// - Throws: What `body`, `init(_:logger:)` or ``connect(retrying:timeout:)`` throws.
    public static nonisolated(nonsending) func withConnection<Result>(
        _ url: String, logger: Logger? = nil, _ body: (MQTTClient) async throws -> Result
    ) async throws -> Result {
        try await self.withConnection(MQTTConfiguration(url: url), logger: logger, body)
    }

    /// Connects, runs `body`, then disconnects, even if `body` throws or its task is cancelled.
    ///
    /// A subscription that only `body` holds ends before the disconnect, and so is not kept for the next run.
    ///
    /// - Parameters:
    ///   - configuration: The brokers to connect to, and all settings.
    ///   - logger: The logger to use. Default: a logger that logs nothing.
    ///   - body: Uses the client while it is connected.
    /// - Returns: What `body` returns.
    /// - Throws: What `body`, `init(_:logger:)` or ``connect(retrying:timeout:)`` throws.
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

extension MQTTClient {
    /// Authenticates again on the current connection, for instance before a token expires (MQTT 5.0 section 4.12.1).
    ///
    /// - Parameter timeout: How long to wait for the server. Default: `connection.handshakeTimeout`.
    /// - Throws: ``MQTTError``: `invalidArgument` without `authentication` in the configuration, `connectionClosed` when there
    ///   is no connection or it ends, `authenticationFailed`, `timedOut` or `cancelled`.
    public nonisolated(nonsending) func reauthenticate(timeout: Duration? = nil) async throws {
        try await self.engine.reauthenticate(timeout: timeout)
    }
}

extension MQTTClient {
    /// Authenticates again on the current connection, for example before a token expires (MQTT 5.0 section 4.12.1).
    ///
    /// - Parameter timeout: How long to wait for the broker. Default: `connection.handshakeTimeout`.
    /// - Throws: ``MQTTError``: `invalidArgument` if the configuration has no `enhancedAuthentication`,
    ///   `authenticationFailed` if the authenticator fails, `connectionClosed` if there is no connection or it ends,
    ///   which is how the broker rejects the authentication, `timedOut` or `cancelled`.
    public nonisolated(nonsending) func reauthenticate(timeout: Duration? = nil) async throws {
        try await self.engine.reauthenticate(timeout: timeout)
    }
}

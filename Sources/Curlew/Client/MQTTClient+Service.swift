public import ServiceLifecycle

extension MQTTClient: Service {
    /// Runs the client as one service of an application: connects, trying for as long as it takes, and stays connected until
    /// the service group shuts down gracefully; then drains for up to `connection.drainTimeout` and disconnects.
    ///
    /// - Throws: ``MQTTError`` when the server refuses the client in a way that waiting does not mend, or when the number of
    ///   tries in `reconnect.maximumTries` is used up.
    public func run() async throws {
        try await cancelWhenGracefulShutdown {
            do {
                try await self.connect(retrying: true)
                try await self.waitUntilStopped()
            } catch let error as MQTTError where error.code == .cancelled {
                // The group shuts down: what follows is the orderly end.
            }
        }
        await self.disconnect()
    }

    /// Returns when the client was disconnected.
    ///
    /// - Throws: ``MQTTError``: what ended it for good, or `cancelled`.
    public nonisolated(nonsending) func waitUntilStopped() async throws {
        try await self.engine.waitUntilStopped()
    }
}

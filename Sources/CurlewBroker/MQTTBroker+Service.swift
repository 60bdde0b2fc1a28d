public import ServiceLifecycle

extension MQTTBroker: Service {
    /// Runs the broker as a service of an application, until the service group shuts down gracefully or the task is
    /// cancelled.
    ///
    /// - Throws: ``MQTTBrokerError`` if the broker cannot be started.
    public func run() async throws {
        try await self.start()
        let (ends, end) = AsyncStream<Void>.makeStream()
        await withTaskCancellationOrGracefulShutdownHandler {
            for await _ in ends {}
        } onCancelOrGracefulShutdown: {
            end.finish()
        }
        await self.stop()
    }
}

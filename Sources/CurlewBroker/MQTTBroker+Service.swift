public import ServiceLifecycle

extension MQTTBroker: Service {
    /// Runs the broker as one service of an application: listens, and stops when the service group shuts down gracefully or the task is
    /// cancelled.
    ///
    /// - Throws: ``MQTTBrokerError`` when it cannot be started.
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

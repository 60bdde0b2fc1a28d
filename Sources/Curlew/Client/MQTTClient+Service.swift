import Logging
public import ServiceLifecycle

extension MQTTClient: Service {
    /// Runs the client as a service of an application, until the service group shuts down gracefully.
    ///
    /// Connects, retries until it succeeds, and stays connected. At the shutdown it waits for up to
    /// `connection.drainTimeout` until all messages are sent and acknowledged, then disconnects. If messages remain, it
    /// logs a warning with their number. If the task is cancelled instead, it disconnects without this wait, and returns.
    ///
    /// A service group shuts its services down in reverse order: put the client before the services that use it.
    ///
    /// A client that is already connected is not connected again: to end the program if its broker refuses it at the
    /// start, call ``connect(retrying:timeout:)`` first.
    ///
    /// - Throws: ``MQTTError`` if the broker refuses the client for a reason that does not change with time, or if all
    ///   attempts that `reconnect.maximumAttempts` permits have failed.
    public func run() async throws {
        try await cancelWhenGracefulShutdown {
            do {
                try await self.connect(retrying: true)
                try await self.waitUntilStopped()
            } catch let error as MQTTError where error.code == .cancelled {
                // The service group is shutting down: disconnect below.
            }
        }
        let report = await self.disconnect()
        guard !report.isClean else { return }
        self.engine.logger.warning(
            "messages were not delivered", metadata: ["not_sent": "\(report.notSent)", "unknown": "\(report.unknown)"])
    }

    /// Waits until the client is disconnected.
    ///
    /// - Throws: ``MQTTError``: the error with which the client gave up, or `cancelled`.
    public nonisolated(nonsending) func waitUntilStopped() async throws {
        try await self.engine.waitUntilStopped()
    }
}

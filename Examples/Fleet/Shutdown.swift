import Curlew
import ServiceLifecycle

/// Works until the service group shuts down, which is not an error.
nonisolated(nonsending) func untilShutdown(_ work: @Sendable @escaping () async throws -> Void) async throws {
    do {
        try await cancelWhenGracefulShutdown(work)
    } catch is CancellationError {
    } catch let error as MQTTError where error.code == .cancelled {
    }
}

/// A service that ends after a time, and with it the whole group.
struct TimeLimit: Service {
    let duration: Duration

    func run() async throws {
        try await untilShutdown { try await Task.sleep(for: self.duration) }
    }
}

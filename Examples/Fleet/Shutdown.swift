import Curlew
import ServiceLifecycle

/// Does the work until the service group shuts down, which is no error.
nonisolated(nonsending) func untilShutdown(_ work: @Sendable @escaping () async throws -> Void) async throws {
    do {
        try await cancelWhenGracefulShutdown(work)
    } catch is CancellationError {
    } catch let error as MQTTError where error.code == .cancelled {
    }
}

/// Ends after a while, and with it the group that it belongs to.
struct TimeLimit: Service {
    let duration: Duration

    func run() async throws {
        try await untilShutdown { try await Task.sleep(for: self.duration) }
    }
}

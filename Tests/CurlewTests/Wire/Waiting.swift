import Synchronization
import Testing

@testable import Curlew

extension MQTTClient {
    /// Waits until the client stands there, where no event and no packet tells.
    func wait(for state: MQTTState) async throws { try await eventually("the state \(state)") { self.state == state } }

    /// Waits until a message waits in the outbox.
    func waitUntilQueued() async throws { try await eventually("a queued message") { self.statistics.queued > 0 } }

    /// Waits until so many calls of `connect()` wait for the first connection.
    func waitForConnectCalls(_ count: Int) async throws {
        try await eventually("\(count) calls of connect()") {
            self.engine.state.withLock { $0.life.lifecycle.connectCalls } == count
        }
    }

    /// Waits until so many calls of `disconnect()` wait for what is under way.
    func waitForDisconnectCalls(_ count: Int) async throws {
        try await eventually("\(count) calls of disconnect()") {
            self.engine.state.withLock { $0.life.drainWaiterCount } == count
        }
    }
}

/// Looks again and again, for want of anything that could be waited for; throws after a minute.
private func eventually(_ what: String, _ isThere: () -> Bool) async throws {
    let deadline = ContinuousClock.now.advanced(by: .seconds(60))
    while !isThere() {
        try Task.checkCancellation()
        guard ContinuousClock.now < deadline else { throw NothingCame(description: "There was never \(what).") }
        await Task.yield()
    }
}

private struct NothingCame: Error, CustomStringConvertible {
    let description: String
}

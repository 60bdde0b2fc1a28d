import Synchronization
import Testing

@testable import Curlew

extension MQTTClient {
    /// Waits until the client is in a state that no event or packet reports.
    func wait(for state: MQTTState) async throws { try await eventually("the state \(state)") { self.state == state } }

    /// Waits until there is a message in the outbox.
    func waitUntilQueued() async throws {
        try await eventually("a queued message") { self.statistics.queuedMessages > 0 }
    }

    /// Waits until this many calls of `connect()` wait for the first connection.
    func waitForConnectCalls(_ count: Int) async throws {
        try await eventually("\(count) calls of connect()") {
            self.engine.state.withLock { $0.life.lifecycle.connectCalls } == count
        }
    }

    /// Waits until this many calls of `disconnect()` wait for the drain.
    func waitForDisconnectCalls(_ count: Int) async throws {
        try await eventually("\(count) calls of disconnect()") {
            self.engine.state.withLock { $0.life.drainWaiterCount } == count
        }
    }
}

/// Polls a condition that cannot be awaited; throws after a minute.
func eventually(_ what: String, _ isThere: () -> Bool) async throws {
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

package import CurlewCore

/// The clock of a client or a broker: time since its start, and sleeping. A test injects one that it moves by hand.
package struct MonotonicClock: Sendable {
    package let now: @Sendable () -> Timestamp
    /// Sleeps until that time; throws when the task is cancelled.
    package let sleep: @Sendable (Timestamp) async throws -> Void

    package init<C: Clock<Duration>>(_ clock: C) {
        let start = clock.now
        self.now = { Timestamp(elapsed: start.duration(to: clock.now)) }
        self.sleep = { time in try await clock.sleep(until: start.advanced(by: time - .start), tolerance: nil) }
    }
}

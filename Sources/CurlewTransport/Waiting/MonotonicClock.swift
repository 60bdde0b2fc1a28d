package import CurlewCore

/// The clock of a client or a broker: the time since its start, and sleeping. Tests inject one that they advance by
/// hand.
package struct MonotonicClock: Sendable {
    package let now: @Sendable () -> Timestamp
    /// Sleeps until the given time; throws if the task is cancelled.
    package let sleep: @Sendable (Timestamp) async throws -> Void

    package init<C: Clock<Duration>>(_ clock: C) {
        let start = clock.now
        self.now = { Timestamp(elapsed: start.duration(to: clock.now)) }
        self.sleep = { time in try await clock.sleep(until: start.advanced(by: time - .start), tolerance: nil) }
    }
}

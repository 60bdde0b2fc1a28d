/// A clock that only moves when a test moves it, so that tests do not wait.
///
/// ```swift
/// let clock = TestClock()
/// let (client, connection) = try await ScriptedServer().connectedClient(clock: clock)
/// clock.advance(by: .seconds(55))  // almost the keep-alive interval: the client sends a ping
/// ```
public final class TestClock: Clock {
    /// A point in time, relative to the creation of the clock.
    public struct Instant: InstantProtocol {
        /// The time since the clock was created.
        public let elapsed: Duration

        /// Returns the instant that is `duration` later.
        public func advanced(by duration: Duration) -> Self { Self(elapsed: self.elapsed + duration) }

        /// Returns the time from this instant to another one.
        public func duration(to other: Self) -> Duration { other.elapsed - self.elapsed }

        /// Orders instants by time.
        public static func < (left: Self, right: Self) -> Bool { left.elapsed < right.elapsed }
    }

    private struct Sleeper {
        let id: UInt64
        let deadline: Instant
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var now = Instant(elapsed: .zero)
        var sleepers: [Sleeper] = []
        var nextID: UInt64 = 0
    }

    private let state = Watched(State())

    /// Creates a clock that stands still.
    public init() {}

    /// The current instant.
    public var now: Instant { self.state.change { $0.now } }

    /// One nanosecond.
    public var minimumResolution: Duration { .nanoseconds(1) }

    /// Sleeps until the clock reaches `deadline`.
    ///
    /// - Throws: `CancellationError` if the task is cancelled.
    public func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        let id = self.state.change { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result: Result<Void, any Error>? = self.state.change { state in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if deadline <= state.now { return .success(()) }
                    state.sleepers.append(Sleeper(id: id, deadline: deadline, continuation: continuation))
                    return nil
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            let continuation: CheckedContinuation<Void, any Error>? = self.state.change { state in
                guard let index = state.sleepers.firstIndex(where: { $0.id == id }) else { return nil }
                return state.sleepers.remove(at: index).continuation
            }
            continuation?.resume(throwing: CancellationError())
        }
    }

    /// Advances the clock, and wakes sleepers whose deadline it reaches, the earliest first.
    public func advance(by duration: Duration) {
        self.wake { $0.now = $0.now.advanced(by: duration) }
    }

    /// Waits until a task sleeps whose deadline is at most `duration` away, then advances the clock to that deadline.
    /// For a sleep of unknown length, or one that starts shortly after what the test has seen.
    ///
    /// - Parameters:
    ///   - duration: The maximum time to advance.
    ///   - patience: How long to wait for the sleeper, in real time. Default: one minute.
    /// - Returns: How far the clock was advanced.
    /// - Throws: ``ScriptError`` if no task sleeps for such a short time.
    @discardableResult
    public func advanceToSleeper(
        within duration: Duration, patience: Duration = .seconds(60)
    ) async throws -> Duration {
        let (begin, deadline) = try await self.state.wait(
            for: "a sleeper whose time comes within \(duration)", within: patience
        ) { state -> (Instant, Instant)? in
            guard let first = state.sleepers.map(\.deadline).min(),
                first <= state.now.advanced(by: duration)
            else { return nil }
            return (state.now, first)
        }
        self.wake { $0.now = max($0.now, deadline) }
        return begin.duration(to: deadline)
    }

    private func wake(_ move: @Sendable (inout State) -> Void) {
        let due: [Sleeper] = self.state.change { state in
            move(&state)
            let now = state.now
            defer { state.sleepers.removeAll { $0.deadline <= now } }
            return state.sleepers.filter { $0.deadline <= now }.sorted { ($0.deadline, $0.id) < ($1.deadline, $1.id) }
        }
        for sleeper in due { sleeper.continuation.resume() }
    }
}

/// A clock that moves when a test moves it, so that nothing has to be waited for.
///
/// ```swift
/// let clock = TestClock()
/// let (client, connection) = try await ScriptedServer().connectedClient(clock: clock)
/// clock.advance(by: .seconds(55))  // almost the keep alive: the client sends a ping
/// ```
public final class TestClock: Clock {
    /// A point in time: so long after the clock was made.
    public struct Instant: InstantProtocol {
        /// The time since the clock was made.
        public let elapsed: Duration

        /// The point that lies `duration` later.
        public func advanced(by duration: Duration) -> Self { Self(elapsed: self.elapsed + duration) }

        /// The time from this point to another.
        public func duration(to other: Self) -> Duration { other.elapsed - self.elapsed }

        /// Earlier points come first.
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

    /// Makes a clock that stands still.
    public init() {}

    /// The present point in time.
    public var now: Instant { self.state.change { $0.now } }

    /// Any time can be told from any other.
    public var minimumResolution: Duration { .nanoseconds(1) }

    /// Sleeps until the clock has been moved to `deadline`.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
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

    /// Moves the clock on, and wakes those whose time has come, the earliest first.
    public func advance(by duration: Duration) {
        self.wake { $0.now = $0.now.advanced(by: duration) }
    }

    /// Waits until somebody sleeps whose time comes within `duration`, and moves the clock just so far: for a wait whose
    /// length is not known, or that begins a moment after what the test has seen.
    ///
    /// - Parameters:
    ///   - duration: How far the clock may be moved.
    ///   - patience: How long to wait for the sleeper, in real time. Default: one minute.
    /// - Returns: How far the clock was moved.
    /// - Throws: ``ScriptError`` when nobody sleeps so shortly.
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

/// A clock that moves only when advanced, and then wakes its sleepers; used on a single thread.
final class FuzzClock: Clock, @unchecked Sendable {
    struct Instant: InstantProtocol {
        var elapsed: Duration

        func advanced(by duration: Duration) -> Self { Self(elapsed: self.elapsed + duration) }
        func duration(to other: Self) -> Duration { other.elapsed - self.elapsed }
        static func < (left: Self, right: Self) -> Bool { left.elapsed < right.elapsed }
    }

    private struct Sleeper {
        let id: Int
        let deadline: Instant
        let continuation: UnsafeContinuation<Void, any Error>
    }

    private(set) var now = Instant(elapsed: .zero)
    private var sleepers: [Sleeper] = []
    private var nextID = 0

    var minimumResolution: Duration { .nanoseconds(1) }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        self.nextID += 1
        let id = self.nextID
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { (continuation: UnsafeContinuation<Void, any Error>) in
                if Task.isCancelled {
                    continuation.resume(throwing: CancellationError())
                } else if deadline <= self.now {
                    continuation.resume()
                } else {
                    self.sleepers.append(Sleeper(id: id, deadline: deadline, continuation: continuation))
                }
            }
        } onCancel: {
            guard let index = self.sleepers.firstIndex(where: { $0.id == id }) else { return }
            self.sleepers.remove(at: index).continuation.resume(throwing: CancellationError())
        }
    }

    /// Advances the clock and wakes the sleepers whose deadlines have passed, earliest first.
    func advance(by duration: Duration) {
        self.now = self.now.advanced(by: duration)
        let due = self.sleepers.filter { $0.deadline <= self.now }
        self.sleepers.removeAll { $0.deadline <= self.now }
        for sleeper in due.sorted(by: { ($0.deadline, $0.id) < ($1.deadline, $1.id) }) {
            sleeper.continuation.resume()
        }
    }
}

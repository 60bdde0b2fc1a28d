import Dispatch

/// Blocks a thread until it is released.
final class Blocker: Sendable {
    private let begun = AsyncStream.makeStream(of: Void.self)
    private let end = DispatchSemaphore(value: 0)

    func block() {
        self.begun.continuation.finish()
        self.end.wait()
    }

    /// Waits until a thread is in ``block()``.
    func isBlocking() async {
        for await _ in self.begun.stream {}
    }

    func release() { self.end.signal() }
}

import Synchronization

/// Counts the open links, so that a broker that stops can wait for their end.
final class OpenLinks: Sendable {
    private struct State {
        var count = 0
        /// Set when no more are taken.
        var isClosing = false
        var isGivenUp = false
        var waiting: UnsafeContinuation<Void, Never>?

        var isOver: Bool { self.isClosing && (self.count == 0 || self.isGivenUp) }

        mutating func takeWaiting() -> UnsafeContinuation<Void, Never>? {
            guard self.isOver else { return nil }
            defer { self.waiting = nil }
            return self.waiting
        }
    }

    /// Guards the count, and the task that waits for its end.
    private let state = Mutex(State())

    /// Adds a link, and returns how many there are now; `nil` if no more are accepted. Either way, the link counts until it is removed.
    func add() -> Int? {
        self.state.withLock { state in
            state.count += 1
            return state.isClosing ? nil : state.count
        }
    }

    func remove() {
        self.change { $0.count -= 1 }
    }

    /// Accepts no more links.
    func close() { self.change { $0.isClosing = true } }

    /// Makes ``waitForEnd()`` return even if links are open.
    func giveUp() { self.change { $0.isGivenUp = true } }

    private func change(_ body: @Sendable (inout State) -> Void) {
        let waiting = self.state.withLock { state in
            body(&state)
            return state.takeWaiting()
        }
        waiting?.resume()
    }

    /// Waits, after ``close()``, until none is open. One task may do so.
    func waitForEnd() async {
        await withUnsafeContinuation { continuation in
            let waiting = self.state.withLock { state in
                state.waiting = continuation
                return state.takeWaiting()
            }
            waiting?.resume()
        }
    }
}

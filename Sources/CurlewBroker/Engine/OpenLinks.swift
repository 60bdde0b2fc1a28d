import CurlewTransport
import Synchronization

/// Counts the open links, so that a broker that stops can wait for their end.
final class OpenLinks: Sendable {
    private struct State {
        var count = 0
        /// Set when no more are taken.
        var isClosing = false
        var isGivenUp = false

        var isOver: Bool { self.isClosing && (self.count == 0 || self.isGivenUp) }
    }

    /// Guards the count.
    private let state = Mutex(State())
    private let ended = OneShot<Void>()

    /// Adds a link, and returns how many there are now; `nil` if no more are accepted. Either way, the link counts
    /// until it is removed.
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
        let isOver = self.state.withLock { state in
            body(&state)
            return state.isOver
        }
        if isOver { self.ended.set(()) }
    }

    /// Waits, after ``close()``, until none is open.
    func waitForEnd() async { _ = await self.ended.waitRegardless() }
}

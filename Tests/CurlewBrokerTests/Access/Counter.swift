import CurlewTransport
import Synchronization

/// Counts how many tasks are inside a section, and the maximum at any time.
final class Counter: Sendable {
    private let state = Mutex((inside: 0, most: 0))

    var most: Int { self.state.withLock { $0.most } }

    func enter() {
        self.state.withLock {
            $0.inside += 1
            $0.most = max($0.most, $0.inside)
        }
    }

    func leave() { self.state.withLock { $0.inside -= 1 } }
}

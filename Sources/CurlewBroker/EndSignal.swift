import Synchronization

/// Lets tasks wait for the end of a broker.
final class EndSignal: Sendable {
    private enum State {
        case open([UnsafeContinuation<Void, Never>])
        case ended
    }

    /// Guards whether it has ended and who waits.
    private let state = Mutex(State.open([]))

    func set() {
        let waiting = self.state.withLock { state -> [UnsafeContinuation<Void, Never>] in
            guard case .open(let waiting) = state else { return [] }
            state = .ended
            return waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func wait() async {
        await withUnsafeContinuation { continuation in
            let hasEnded = self.state.withLock { state in
                guard case .open(let waiting) = state else { return true }
                state = .open(waiting + [continuation])
                return false
            }
            if hasEnded { continuation.resume() }
        }
    }
}

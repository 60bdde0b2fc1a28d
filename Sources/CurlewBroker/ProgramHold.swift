import CurlewCore
import Synchronization

/// Lets the embedding program wait for slow receivers of its message.
final class ProgramHold: HeldPublisher {
    private struct State {
        var hold = PublishHold<ObjectIdentifier>()
        /// Receivers that have released the program before it began to wait.
        var early: Set<ObjectIdentifier> = []
        var continuation: UnsafeContinuation<Void, Never>?
        var isOver = false
    }

    /// Guards for whom the program waits.
    private let state = Mutex(State())

    func released(by holder: ObjectIdentifier) {
        let continuation = self.state.withLock { state in
            guard state.hold.isActive else {
                state.early.insert(holder)
                return nil as UnsafeContinuation<Void, Never>?
            }
            return state.hold.released(by: holder) ? exchange(&state.continuation, with: nil) : nil
        }
        continuation?.resume()
    }

    var hasGone: Bool { self.state.withLock { $0.isOver } }

    var isProgram: Bool { true }

    /// Waits until all receivers of the message have released the program, or are not worth waiting for any more.
    func wait(for routing: BrokerEngine.Routing, engine: BrokerEngine) async {
        defer { self.state.withLock { $0.isOver = true } }
        let now = engine.clock.now()
        let held = self.state.withLock { state -> PublishHold<ObjectIdentifier>.Held? in
            let holders = Set(routing.holders).subtracting(state.early)
            guard !holders.isEmpty else { return nil }
            return state.hold.held(
                by: holders, until: routing.heldUntil,
                longest: engine.configuration.limits.maximumPublisherDelay, now: now)
        }
        guard case .began(let until)? = held else { return }
        let deadline = engine.deadlines.schedule(after: until - now) { self.end() }
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let goesOn = self.state.withLock { state in
                    guard state.hold.isActive, !Task.isCancelled else { return true }
                    state.continuation = continuation
                    return false
                }
                if goesOn { continuation.resume() }
            }
        } onCancel: {
            self.end()
        }
        engine.deadlines.cancel(deadline)
    }

    private func end() {
        let continuation = self.state.withLock { state in
            state.hold.end()
            return exchange(&state.continuation, with: nil)
        }
        continuation?.resume()
    }
}

import CurlewCore
import CurlewTransport
import Synchronization

/// Lets the embedding program wait for slow receivers of its message.
final class ProgramHold: HeldPublisher {
    private struct State {
        var hold = PublishHold<ObjectIdentifier>()
        /// Receivers that have released the program before it began to wait.
        var early: Set<ObjectIdentifier> = []
        var isOver = false
    }

    /// Guards which receivers the program waits for.
    private let state = Mutex(State())
    private let ended = OneShot<Void>()

    func released(by holder: ObjectIdentifier) {
        let hasEnded = self.state.withLock { state in
            guard state.hold.isActive else {
                state.early.insert(holder)
                return false
            }
            return state.hold.released(by: holder)
        }
        if hasEnded { self.ended.set(()) }
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
        _ = await self.ended.wait()
        self.end()
        engine.deadlines.cancel(deadline)
    }

    private func end() {
        self.state.withLock { $0.hold.end() }
        self.ended.set(())
    }
}

import CurlewCore
import CurlewTransport
import DequeModule
import Synchronization

/// Who may call a device that handles one call at a time, and who waits.
struct CallTurnTable {
    /// A device, and where its answers arrive.
    struct Place: Sendable, Hashable {
        let inbox: SubscriberID
        let device: String
    }

    /// The calls that wait for each device that is busy.
    private var waiting: [Place: Deque<UInt64>] = [:]
    private var lastTicket: UInt64 = 0

    /// What a call has to do.
    enum Entered: Equatable {
        /// Call now.
        case now
        /// Wait until ``left(_:)`` returns the ticket.
        case wait(UInt64)
        /// Too many calls wait.
        case full
    }

    /// A call wants to begin.
    mutating func enter(_ device: Place, limit: Int) -> Entered {
        guard let queue = self.waiting[device] else {
            self.waiting[device] = []
            return .now
        }
        guard queue.count < limit else { return .full }
        self.lastTicket += 1
        self.waiting[device]?.append(self.lastTicket)
        return .wait(self.lastTicket)
    }

    /// A call ended. Returns the ticket of the next one.
    mutating func left(_ device: Place) -> UInt64? {
        if let next = self.waiting[device]?.popFirst() { return next }
        self.waiting[device] = nil
        return nil
    }

    /// A call stops waiting. Returns `false` if its turn has come.
    mutating func gaveUp(_ device: Place, _ ticket: UInt64) -> Bool {
        guard let index = self.waiting[device]?.firstIndex(of: ticket) else { return false }
        self.waiting[device]?.remove(at: index)
        return true
    }
}

/// Lets calls to devices that handle one call at a time wait for their turn.
final class CallTurns: Sendable {
    private struct State {
        var table = CallTurnTable()
        var waiting: [UInt64: OneShot<Void>] = [:]
        /// Counts ``reset()``: earlier turns have ended.
        var epoch = 0
    }

    /// Guards who waits.
    private let state = Mutex(State())

    /// The turn of a call, which ends with ``leave(_:)``.
    struct Turn: Sendable {
        fileprivate let device: CallTurnTable.Place
        fileprivate let epoch: Int
    }

    /// How waiting for a turn ended.
    enum Entered {
        /// Call now, and call ``leave(_:)`` at the end.
        case begun(Turn)
        case full
        case timedOut
        case cancelled
    }

    /// Waits for the turn of a call.
    nonisolated(nonsending) func enter(
        _ device: CallTurnTable.Place, limit: Int, within time: Duration, by deadlines: Deadlines
    ) async -> Entered {
        let turn = OneShot<Void>()
        let (entered, epoch) = self.state.withLock { state in
            let entered = state.table.enter(device, limit: limit)
            if case .wait(let ticket) = entered { state.waiting[ticket] = turn }
            return (entered, state.epoch)
        }
        let begun = Turn(device: device, epoch: epoch)
        switch entered {
        case .now: return .begun(begun)
        case .full: return .full
        case .wait(let ticket):
            let ended: Entered
            switch await turn.wait(for: time, by: deadlines) {
            case .value: return .begun(begun)
            case .timedOut: ended = .timedOut
            case .cancelled: ended = .cancelled
            }
            let gaveUp = self.state.withLock { state in
                guard state.epoch == epoch else { return true }
                state.waiting[ticket] = nil
                return state.table.gaveUp(device, ticket)
            }
            // The turn came at the same moment.
            if !gaveUp { self.leave(begun) }
            return ended
        }
    }

    /// The client was disconnected, so no call is under way. Those that waited find that when they call.
    func reset() {
        let waiting = self.state.withLock { state in
            exchange(&state, with: State(epoch: state.epoch + 1)).waiting
        }
        for turn in waiting.values { turn.set(()) }
    }

    /// A call ended.
    func leave(_ turn: Turn) {
        let next = self.state.withLock { state in
            guard state.epoch == turn.epoch else { return nil as OneShot<Void>? }
            return state.table.left(turn.device).flatMap { state.waiting.removeValue(forKey: $0) }
        }
        next?.set(())
    }
}

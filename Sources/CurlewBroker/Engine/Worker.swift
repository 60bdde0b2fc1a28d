import CurlewCore
import CurlewTransport
import DequeModule
import NIOCore
import Synchronization

/// The broker's part on one event loop: its connections, and what they have to send.
final class Worker: Sendable {
    let eventLoop: any EventLoop
    let counters = Counters()
    private let confined: NIOLoopBound<LoopState>
    /// Guards the connections of this loop that other loops have given something to send, and whether this loop is
    /// scheduled to look.
    private let mailbox = Mutex((connections: [ConnectionHandle](), isScheduled: false))

    /// Creates the worker of a loop; on that loop only.
    init(onLoop eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.confined = NIOLoopBound(LoopState(), eventLoop: eventLoop)
    }

    /// Creates the worker of a loop.
    static func make(on eventLoop: any EventLoop) async throws -> Worker {
        try await eventLoop.submit { Worker(onLoop: eventLoop) }.get()
    }

    /// The state of the loop; on the loop only.
    var onLoop: LoopState { self.confined.value }

    /// Flushes a connection of any loop at the end of this round of the event loop, once for everything that it then
    /// has to send; on this loop only.
    func flushSoon(_ connection: ConnectionHandle) {
        let state = self.onLoop
        state.add(connection, isOwn: connection.worker === self)
        guard !state.isFlushScheduled else { return }
        state.isFlushScheduled = true
        self.eventLoop.execute { self.flushAll() }
    }

    private func flushAll() {
        let state = self.onLoop
        state.isFlushScheduled = false
        for index in state.toFlushElsewhere.indices where !state.toFlushElsewhere[index].connections.isEmpty {
            let connections = exchange(&state.toFlushElsewhere[index].connections, with: [])
            state.toFlushElsewhere[index].worker.flush(connections)
        }
        let count = min(state.toFlush.count, Self.flushesAtOnce)
        let connections = state.toFlush.prefix(count)
        state.toFlush.removeFirst(count)
        for connection in connections { connection.onLoop?.flush() }
        guard !state.toFlush.isEmpty, !state.isFlushScheduled else { return }
        // A message to very many receivers: other connections are read before the last of them gets it.
        state.isFlushScheduled = true
        self.continueLater { self.flushAll() }
    }

    private static let flushesAtOnce = 1024

    /// Flushes connections of this loop soon; called from other loops.
    private func flush(_ connections: [ConnectionHandle]) {
        let mustSchedule = self.mailbox.withLock { mailbox in
            mailbox.connections += connections
            defer { mailbox.isScheduled = true }
            return !mailbox.isScheduled
        }
        if mustSchedule { self.eventLoop.execute { self.takeMail() } }
    }

    private func takeMail() {
        let connections = self.mailbox.withLock { mailbox in
            mailbox.isScheduled = false
            return exchange(&mailbox.connections, with: [])
        }
        for connection in connections { self.flushSoon(connection) }
    }

    // MARK: Turns

    /// Continues work in the next turn, after all connections of the loop that have sent something have been read; on
    /// this loop only.
    ///
    /// Anything that does more work at a time than ``LoopState/workPerTurn`` divides it in this way, so that others
    /// wait no longer than that.
    func continueLater(_ body: @escaping () -> Void) {
        let state = self.onLoop
        state.postponed.append(body)
        guard !state.isTurnScheduled else { return }
        state.isTurnScheduled = true
        self.scheduleTurn()
    }

    /// Repeats `step` until it returns `false`, with pauses in which others have their turn; on this loop only.
    ///
    /// - Parameter end: Called at the end.
    func inTurns(_ step: @escaping () -> Bool, then end: @escaping () -> Void) {
        let state = self.onLoop
        let limit = state.work + LoopState.workPerTurn
        while state.work < limit {
            state.work += 1
            guard step() else { return end() }
        }
        self.continueLater { self.inTurns(step, then: end) }
    }

    private func scheduleTurn() {
        // A loop reads only when no task is due: the pause begins once the tasks that are due now, such as flushes,
        // have run.
        self.eventLoop.execute {
            self.eventLoop.scheduleTask(in: Self.pauseBetweenTurns) { self.takeTurn() }
        }
    }

    private static let pauseBetweenTurns = TimeAmount.microseconds(50)

    private func takeTurn() {
        let state = self.onLoop
        // Little enough that a turn stays short, but at least as much as was done otherwise since the last turn, so
        // that postponed work cannot pile up. Work that is postponed during the turn waits for the next one.
        let limit = state.work + max(4 * LoopState.workPerTurn, state.work - state.workBeforeTurn)
        var count = state.postponed.count
        while count > 0, state.work < limit, let body = state.postponed.popFirst() {
            count -= 1
            state.work += 1
            body()
        }
        state.workBeforeTurn = state.work
        state.isTurnScheduled = !state.postponed.isEmpty
        if state.isTurnScheduled { self.scheduleTurn() }
    }

    /// The store has committed changes: connections send what has waited for them.
    func changesCommitted() {
        for connection in exchange(&self.onLoop.waitingForCommit, with: []) { connection.onLoop?.changesCommitted() }
    }

    /// Once a second: connections check their deadlines.
    func tick(now: Timestamp) {
        self.forEachConnection { $0.tick(now: now) }
    }

    /// Calls `body` with each connection of this loop, with pauses; on this loop only.
    ///
    /// - Parameter end: Called at the end.
    func forEachConnection(_ body: @escaping (any HostedConnection) -> Void, then end: @escaping () -> Void = {}) {
        var rest = Array(self.onLoop.connections.values)[...]
        self.inTurns {
            guard let connection = rest.popFirst() else { return false }
            body(connection)
            return true
        } then: {
            end()
        }
    }
}

/// The state of a worker on its loop.
final class LoopState {
    var routes = RouteCache()
    var connections: [ObjectIdentifier: any HostedConnection] = [:]
    /// Connections of this loop that have something to send, and of others, by their worker.
    fileprivate var toFlush = Deque<ConnectionHandle>()
    fileprivate var toFlushElsewhere: [(worker: Worker, connections: [ConnectionHandle])] = []
    fileprivate var isFlushScheduled = false
    /// Connections that wait for the store.
    var waitingForCommit: [ConnectionHandle] = []
    /// Work that continues in the next turn.
    fileprivate var postponed = Deque<() -> Void>()
    fileprivate var isTurnScheduled = false
    /// The value of ``work`` at the end of the last turn.
    fileprivate var workBeforeTurn = 0
    /// The work done on this loop since the start, measured roughly in deliveries of one message to one client.
    var work = 0
    /// How much work a connection may cause before others have their turn: some milliseconds.
    static let workPerTurn = 16_384
    /// The work of making or ending a subscription.
    static let workPerSubscription = 8

    fileprivate func add(_ connection: ConnectionHandle, isOwn: Bool) {
        if isOwn {
            self.toFlush.append(connection)
        } else if let index = self.toFlushElsewhere.firstIndex(where: { $0.worker === connection.worker }) {
            self.toFlushElsewhere[index].connections.append(connection)
        } else {
            self.toFlushElsewhere.append((connection.worker, [connection]))
        }
    }
}

@available(*, unavailable)
extension LoopState: Sendable {}

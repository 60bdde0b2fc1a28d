import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

/// The broker's part on one event loop: its connections, and what they have to send.
final class Worker: Sendable {
    let engine: BrokerEngine
    let eventLoop: any EventLoop
    let counters = Counters()
    private let confined: NIOLoopBound<LoopState>
    /// Guards connections of this loop that other loops have given something to send, and whether this loop has been told.
    private let mailbox = Mutex((connections: [ConnectionHandle](), isScheduled: false))

    /// Makes one; on that loop only.
    init(onLoop eventLoop: any EventLoop, engine: BrokerEngine) {
        self.engine = engine
        self.eventLoop = eventLoop
        self.confined = NIOLoopBound(LoopState(), eventLoop: eventLoop)
    }

    /// Makes one for that loop.
    static func make(on eventLoop: any EventLoop, engine: BrokerEngine) async throws -> Worker {
        try await eventLoop.submit { Worker(onLoop: eventLoop, engine: engine) }.get()
    }

    /// What belongs to the loop; on the loop only.
    var onLoop: LoopState { self.confined.value }

    /// Has a connection send what it has when this round of the event loop is over, together with all else that it then has; on this loop
    /// only, for connections of any loop.
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
        for connection in exchange(&state.toFlush, with: []) { connection.onLoop?.flush() }
    }

    /// Has connections of this loop send what they have; from another loop.
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
        for connection in connections { connection.onLoop?.flush() }
    }

    /// The store has committed changes: connections send what waited for that.
    func changesCommitted() {
        for connection in exchange(&self.onLoop.waitingForCommit, with: []) { connection.onLoop?.changesCommitted() }
    }

    /// Once a second: who has been silent for too long.
    func tick(now: Timestamp) {
        for connection in Array(self.onLoop.connections.values) { connection.tick(now: now) }
    }
}

/// What a worker has on its loop.
final class LoopState {
    var routes = RouteCache()
    var connections: [ObjectIdentifier: BrokerConnection] = [:]
    /// Connections of this loop that have something to send, and of others, by their worker.
    fileprivate var toFlush: [ConnectionHandle] = []
    fileprivate var toFlushElsewhere: [(worker: Worker, connections: [ConnectionHandle])] = []
    fileprivate var isFlushScheduled = false
    /// Connections that wait for the store.
    var waitingForCommit: [ConnectionHandle] = []
    /// Whether this loop is at something that is stored as a whole.
    var isInGroup = false
    /// The last change that was made on this loop since a connection has asked; 0 for none.
    private var change: UInt64 = 0

    /// A change was made, which an answer may have to wait for.
    func note(_ change: UInt64) { self.change = max(self.change, change) }

    /// The last change since this was called before; 0 for none.
    func takeChange() -> UInt64 { exchange(&self.change, with: 0) }

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

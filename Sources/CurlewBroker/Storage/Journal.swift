import CurlewCore
import CurlewTransport
import Logging
import Synchronization

/// What has changed and is not stored yet: gathers changes, and has the store commit them batch by batch.
final class Journal: Sendable {
    private struct State {
        /// In the order in which they were made.
        var changes: [MQTTBrokerChange] = []
        /// The position of the first of these.
        var first: UInt64 = 1
        /// Where a group begins that is not at its end.
        var group: UInt64?
        /// The number of the message that was changed last: one that goes to many clients weighs once.
        var lastMessage: UInt64?
        /// Where sessions have ended, until that is stored.
        var ends: [ExactText: UInt64] = [:]
        /// Whether a task is at work that commits.
        var isCommitting = false
        /// What is between two tries to commit.
        var pause: Task<Void, Never>?
        var isStopping = false
        /// Nothing is taken or stored any more.
        var isOver = false
        var waiting: [UInt64: (position: UInt64, continuation: CheckedContinuation<Bool, Never>)] = [:]
        var nextWaiting: UInt64 = 0
        /// Who is told that something is stored.
        var workers: WorkerList?

        var end: UInt64 { self.first + UInt64(self.changes.count) }
        /// Up to where changes can be committed: a group is committed as a whole.
        var ready: UInt64 { self.group ?? self.end }

        /// Whether a task has to be started that commits.
        mutating func mustCommit() -> Bool {
            guard !self.isCommitting, self.ready > self.first else { return false }
            self.isCommitting = true
            return true
        }
    }

    private let store: any MQTTBrokerStore
    private let clock: MonotonicClock
    private let logger: Logger
    /// Guards what is not committed. Taken under the locks of sessions and of the retained messages, and none is taken under it.
    private let state: Mutex<State>
    /// Held by the group that is open. Taken before any other lock.
    private let groups = Mutex<Void>(())
    /// Up to where changes are stored.
    private let committed = Atomic<UInt64>(0)
    /// What is not stored yet, roughly, in bytes.
    private let backlog = Atomic<Int>(0)
    private let nextMessage = Atomic<UInt64>(1)

    init(_ store: any MQTTBrokerStore, clock: MonotonicClock, logger: Logger, workers: WorkerList) {
        self.store = store
        self.clock = clock
        self.logger = logger
        self.state = Mutex(State(workers: workers))
    }

    /// Whether all up to that position is stored.
    func isCommitted(_ position: UInt64) -> Bool { position <= self.committed.load(ordering: .acquiring) }

    /// Whether so much is not stored yet that no more should be read.
    var isBehind: Bool { self.backlog.value > Self.mostBacklog }

    private static let mostBacklog = 16 << 20

    /// The number of a new message.
    func makeMessageNumber() -> UInt64 { self.nextMessage.wrappingAdd(1, ordering: .relaxed).oldValue }

    /// Has numbers begin behind those that are stored.
    func begin(after number: UInt64) { self.nextMessage.store(number &+ 1, ordering: .relaxed) }

    // MARK: Changes

    /// Adds changes. Returns the position of the last one.
    func append(_ changes: some Collection<MQTTBrokerChange> & Sendable) -> UInt64 {
        let (position, mustCommit) = self.state.withLock { state in
            guard !state.isOver else { return (state.end - 1, false) }
            self.backlog.count(changes.weight(after: &state.lastMessage))
            state.changes.append(contentsOf: changes)
            if case .sessionEnded(let client)? = changes.first { state.ends[ExactText(client)] = state.end - 1 }
            return (state.end - 1, state.mustCommit())
        }
        if mustCommit { self.startCommitting() }
        return position
    }

    /// Where a session of that identifier has ended, if that is not stored yet; otherwise 0.
    func end(of clientIdentifier: String) -> UInt64 {
        self.state.withLock { $0.ends[ExactText(clientIdentifier)] ?? 0 }
    }

    /// Has what `body` changes be stored all at once, or not at all. Other groups wait meanwhile.
    ///
    /// - Parameter worker: On whose loop this is called.
    func group<Result: Sendable>(on worker: Worker, _ body: () -> Result) -> Result {
        guard !worker.onLoop.isInGroup else { return body() }
        return self.groups.withLock { _ in
            worker.onLoop.isInGroup = true
            self.state.withLock { $0.group = $0.end }
            let result = body()
            let mustCommit = self.state.withLock { state in
                state.group = nil
                return state.mustCommit()
            }
            worker.onLoop.isInGroup = false
            if mustCommit { self.startCommitting() }
            return result
        }
    }

    // MARK: Committing

    private func startCommitting() {
        Task {
            while let (changes, last) = self.takeBatch() {
                guard await self.commit(changes) else { return self.giveUp() }
                self.tell(last)
            }
        }
    }

    private func takeBatch() -> (changes: [MQTTBrokerChange], last: UInt64)? {
        self.state.withLock { state in
            guard state.ready > state.first, !state.isOver else {
                state.isCommitting = false
                return nil
            }
            let count = Int(state.ready - state.first)
            let last = state.ready - 1
            state.first = state.ready
            guard count < state.changes.count else { return (exchange(&state.changes, with: []), last) }
            defer { state.changes.removeFirst(count) }
            return (Array(state.changes[..<count]), last)
        }
    }

    /// Tries until it is done. Returns `false` when it cannot be done and the broker stops.
    private func commit(_ changes: [MQTTBrokerChange]) async -> Bool {
        while true {
            do {
                try await self.store.commit(changes)
                return true
            } catch {
                let isStopping = self.state.withLock { $0.isStopping }
                self.logger.error(
                    isStopping
                        ? "changes were not stored, and the broker stops"
                        : "changes could not be stored; clients wait until they are",
                    metadata: ["changes": "\(changes.count)", "error": "\(String(describing: error).printable)"])
                if isStopping { return false }
            }
            await self.pause()
        }
    }

    /// Lets a second pass before the next try, or none when the broker stops.
    private func pause() async {
        let pause = Task { [clock] in _ = try? await clock.sleep(clock.now() + .seconds(1)) }
        self.state.withLock { state in
            state.pause = pause
            if state.isStopping { pause.cancel() }
        }
        await pause.value
    }

    // MARK: Waiting

    /// All up to that position is stored: has those go on who wait for it.
    private func tell(_ last: UInt64) {
        self.committed.store(last, ordering: .releasing)
        let (ready, workers) = self.state.withLock { state in
            state.lastMessage = nil
            self.backlog.store(state.changes.weight(after: &state.lastMessage), ordering: .relaxed)
            if !state.ends.isEmpty { state.ends = state.ends.filter { $0.value > last } }
            let ready = state.waiting.filter { $0.value.position <= last }
            for id in ready.keys { state.waiting[id] = nil }
            return (ready.values.map(\.continuation), state.workers?.all ?? [])
        }
        for continuation in ready { continuation.resume(returning: true) }
        for worker in workers { worker.eventLoop.execute { worker.changesCommitted() } }
    }

    /// Waits until all up to a position is stored.
    ///
    /// - Returns: Whether it is; not if the broker has stopped without that, or the task was cancelled.
    func wait(for position: UInt64) async -> Bool {
        let id = self.state.withLock { state in
            state.nextWaiting += 1
            return state.nextWaiting
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let outcome = self.state.withLock { state -> Bool? in
                    if self.isCommitted(position) { return true }
                    if state.isOver || Task.isCancelled { return false }
                    state.waiting[id] = (position, continuation)
                    return nil
                }
                if let outcome { continuation.resume(returning: outcome) }
            }
        } onCancel: {
            self.state.withLock { $0.waiting.removeValue(forKey: id) }?.continuation.resume(returning: false)
        }
    }

    // MARK: The end

    /// Has all stored that has changed, as far as the store can do it before ``giveUp()``. Nothing is taken afterwards.
    func finish() async {
        let last = self.state.withLock { state in
            state.isStopping = true
            state.pause?.cancel()
            return state.end - 1
        }
        // Whoever stops the broker may have been cancelled, which is no reason to lose anything.
        _ = await Task { await self.wait(for: last) }.value
        self.giveUp()
    }

    /// Stores nothing any more.
    func giveUp() {
        let (waiting, lost) = self.state.withLock { state in
            defer {
                state.isOver = true
                state.workers = nil
                state.changes = []
            }
            return (exchange(&state.waiting, with: [:]), state.isOver ? 0 : state.changes.count)
        }
        if lost > 0 { self.logger.error("changes were not stored", metadata: ["changes": "\(lost)"]) }
        for (_, continuation) in waiting.values { continuation.resume(returning: false) }
    }
}

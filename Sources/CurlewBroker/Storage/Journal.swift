import CurlewCore
import CurlewTransport
import Logging
import Synchronization

/// The changes that are not stored yet. Collects them, and lets the store commit them batch by batch: while one batch
/// is committed, the next one collects.
final class Journal: Sendable {
    private struct State {
        /// In the order in which they were made.
        var changes: [MQTTBrokerChange] = []
        /// The position of the first of these.
        var first: UInt64 = 1
        /// Where the open group begins, if there is one.
        var group: UInt64?
        /// The number of the message that was changed last: one that goes to many clients weighs once.
        var lastMessage: UInt64?
        /// Where sessions have ended, until that is stored.
        var ends: [ExactText: UInt64] = [:]
        /// Commits until there is nothing left to commit; `nil` while there is nothing.
        var committing: Task<Void, Never>?
        /// The pause between two attempts to commit.
        var pause: Task<Void, Never>?
        var isStopping = false
        /// Nothing is taken or stored any more.
        var isOver = false
        /// What tasks wait for: whether the changes up to a position are committed.
        var waiting: [(position: UInt64, outcome: OneShot<Bool>)] = []
        /// Called when changes are committed.
        var onCommit: (@Sendable () -> Void)?

        var end: UInt64 { self.first + UInt64(self.changes.count) }
        /// Up to where changes can be committed: a group is committed as a whole.
        var ready: UInt64 { self.group ?? self.end }

        /// Starts a task that commits, if there is something to commit and no task does.
        mutating func commitSoon(_ commit: @escaping @Sendable () async -> Void) {
            guard self.committing == nil, self.ready > self.first else { return }
            self.committing = Task(operation: commit)
        }
    }

    private let store: any MQTTBrokerStore
    private let clock: MonotonicClock
    private let logger: Logger
    /// Guards what is not committed. May be taken under the locks of sessions and of the retained messages; no other
    /// lock is taken under it.
    private let state: Mutex<State>
    /// Held by the open group. Taken before any other lock.
    private let groups = Mutex<Void>(())
    /// Up to where changes are stored.
    private let committed = Atomic<UInt64>(0)
    /// What is not stored yet, roughly, in bytes.
    private let backlog = Atomic<Int>(0)
    private let nextMessage = Atomic<UInt64>(1)

    /// - Parameter onCommit: Called after each commit, until ``giveUp()``.
    init(
        _ store: any MQTTBrokerStore, clock: MonotonicClock, logger: Logger, onCommit: @escaping @Sendable () -> Void
    ) {
        self.store = store
        self.clock = clock
        self.logger = logger
        self.state = Mutex(State(onCommit: onCommit))
    }

    /// Whether all changes up to that position are committed.
    func isCommitted(_ position: JournalPosition) -> Bool {
        position.number <= self.committed.load(ordering: .acquiring)
    }

    /// Whether so much is not stored yet that no more should be read.
    var isBehind: Bool { self.backlog.value > Self.mostBacklog }

    private static let mostBacklog = 16 << 20

    /// The number of a new message.
    func makeMessageNumber() -> UInt64 { self.nextMessage.wrappingAdd(1, ordering: .relaxed).oldValue }

    /// Starts the numbers of messages after those that are stored.
    func begin(after number: UInt64) { self.nextMessage.store(number &+ 1, ordering: .relaxed) }

    // MARK: Changes

    /// Adds changes. Returns the position of the last one.
    func append(_ changes: some Collection<MQTTBrokerChange> & Sendable) -> JournalPosition {
        self.state.withLock { state in
            guard !state.isOver else { return JournalPosition(state.end - 1) }
            self.backlog.count(changes.weight(after: &state.lastMessage))
            state.changes.append(contentsOf: changes)
            if case .sessionEnded(let client)? = changes.first { state.ends[ExactText(client)] = state.end - 1 }
            state.commitSoon(self.commitAll)
            return JournalPosition(state.end - 1)
        }
    }

    /// The position at which a session of that identifier has ended, if that is not stored yet.
    func end(of clientIdentifier: String) -> JournalPosition {
        self.state.withLock { JournalPosition($0.ends[ExactText(clientIdentifier)] ?? 0) }
    }

    /// Makes the changes in `body` a group, which is committed as a whole or not at all. Other groups wait meanwhile,
    /// so it must not call user code; and it must not begin another group.
    func group<Result: Sendable>(_ body: () -> Result) -> Result {
        self.groups.withLock { _ in
            self.state.withLock { $0.group = $0.end }
            let result = body()
            self.state.withLock { state in
                state.group = nil
                state.commitSoon(self.commitAll)
            }
            return result
        }
    }

    // MARK: Committing

    @Sendable private func commitAll() async {
        while let (changes, last) = self.takeBatch() {
            guard await self.commit(changes) else { return self.giveUp() }
            self.noteCommitted(upTo: last)
        }
    }

    private func takeBatch() -> (changes: [MQTTBrokerChange], last: UInt64)? {
        self.state.withLock { state in
            guard state.ready > state.first, !state.isOver else {
                state.committing = nil
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

    /// Tries until the store has committed the changes. Returns `false` when it cannot and the broker stops.
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
                if isStopping || Task.isCancelled { return false }
            }
            await self.pause()
        }
    }

    /// Waits for a second before the next attempt, or not at all when the broker stops.
    private func pause() async {
        let pause = Task { [clock] in _ = try? await clock.sleep(clock.now() + .seconds(1)) }
        self.state.withLock { state in
            state.pause = pause
            if state.isStopping { pause.cancel() }
        }
        await pause.value
    }

    // MARK: Waiting

    /// All changes up to that position are stored: resumes the tasks that wait for it.
    private func noteCommitted(upTo last: UInt64) {
        self.committed.store(last, ordering: .releasing)
        let (ready, onCommit) = self.state.withLock { state in
            state.lastMessage = nil
            self.backlog.store(state.changes.weight(after: &state.lastMessage), ordering: .relaxed)
            if !state.ends.isEmpty { state.ends = state.ends.filter { $0.value > last } }
            let ready = state.waiting.filter { $0.position <= last }
            state.waiting.removeAll { $0.position <= last }
            return (ready.map(\.outcome), state.onCommit)
        }
        for outcome in ready { outcome.set(true) }
        onCommit?()
    }

    /// Waits until all changes up to a position are committed.
    ///
    /// - Returns: Whether they are: not if the broker has stopped before, or the task was cancelled.
    func wait(for position: JournalPosition) async -> Bool {
        let outcome = OneShot<Bool>()
        let known: Bool? = self.state.withLock { state in
            if self.isCommitted(position) { return true }
            if state.isOver { return false }
            state.waiting.append((position.number, outcome))
            return nil
        }
        if let known { return known }
        if let isCommitted = await outcome.wait() { return isCommitted }
        self.state.withLock { $0.waiting.removeAll { $0.outcome === outcome } }
        return false
    }

    // MARK: The end

    /// Waits until all changes are committed, or ``giveUp()`` is called. No changes are taken afterwards.
    func finish() async {
        let last = self.state.withLock { state in
            state.isStopping = true
            state.pause?.cancel()
            return JournalPosition(state.end - 1)
        }
        // The task that stops the broker may have been cancelled, which is no reason to lose anything.
        _ = await Task { await self.wait(for: last) }.value
        self.giveUp()
    }

    /// Commits nothing any more. A commit that is under way is cancelled.
    func giveUp() {
        let (waiting, lost, committing) = self.state.withLock { state in
            defer {
                state.isOver = true
                state.onCommit = nil
                state.committing = nil
                state.changes = []
            }
            return (
                exchange(&state.waiting, with: []), state.isOver ? 0 : state.changes.count, state.committing
            )
        }
        committing?.cancel()
        if lost > 0 { self.logger.error("changes were not stored", metadata: ["changes": "\(lost)"]) }
        for (_, outcome) in waiting { outcome.set(false) }
    }
}

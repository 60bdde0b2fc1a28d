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
        /// Where groups begin that are not at their end.
        var groups: [ObjectIdentifier: UInt64] = [:]
        /// Whether a task is at work that commits.
        var isCommitting = false
        var isStopping = false
        /// What is between two tries to commit.
        var pause: Task<Void, Never>?
        /// Nothing is stored any more.
        var hasGivenUp = false
        var waiting: [UInt64: (position: UInt64, continuation: CheckedContinuation<Bool, Never>)] = [:]
        var nextWaiting: UInt64 = 0

        var end: UInt64 { self.first + UInt64(self.changes.count) }
        /// Up to where changes can be committed: a group is committed as a whole.
        var ready: UInt64 { self.groups.values.min() ?? self.end }
        var canCommit: Bool { self.ready > self.first }
    }

    private let store: any MQTTBrokerStore
    private let clock: MonotonicClock
    private let logger: Logger
    private let workers: WorkerList
    /// Guards what is not committed. Taken under the locks of sessions and of the retained messages, and none is taken under it.
    private let state = Mutex(State())
    /// Up to where changes are stored.
    private let committed = Atomic<UInt64>(0)
    /// What is not stored yet, roughly, in bytes.
    private let backlog = Atomic<Int>(0)
    private let nextMessage = Atomic<UInt64>(1)

    init(_ store: any MQTTBrokerStore, clock: MonotonicClock, logger: Logger, workers: WorkerList) {
        self.store = store
        self.clock = clock
        self.logger = logger
        self.workers = workers
    }

    /// Whether all up to that position is stored.
    func isCommitted(_ position: UInt64) -> Bool { position <= self.committed.load(ordering: .acquiring) }

    /// Whether so much is not stored yet that no more should be read.
    var isBehind: Bool { self.backlog.value > Self.mostBacklog }

    private static let mostBacklog = 16 << 20

    /// The number of a new message.
    func makeMessageNumber() -> UInt64 { self.nextMessage.wrappingAdd(1, ordering: .relaxed).oldValue }

    /// Has numbers begin behind those that are stored.
    func begin(after number: UInt64) { self.nextMessage.store(number + 1, ordering: .relaxed) }

    // MARK: Changes

    /// Adds changes. Returns the position of the last one.
    func append(_ changes: some Collection<MQTTBrokerChange>) -> UInt64 {
        self.backlog.count(changes.reduce(0) { $0 + $1.weight })
        let (position, mustCommit) = self.state.withLock { state in
            state.changes.append(contentsOf: changes)
            return (state.end - 1, Self.mustCommit(&state))
        }
        if mustCommit { self.startCommitting() }
        return position
    }

    /// Has what `body` changes be stored all at once, or not at all.
    ///
    /// - Parameter worker: On whose loop this is called.
    func group<Result>(on worker: Worker, _ body: () -> Result) -> Result {
        let id = ObjectIdentifier(worker)
        let isOuter = self.state.withLock { state in
            guard state.groups[id] == nil else { return false }
            state.groups[id] = state.end
            return true
        }
        let result = body()
        guard isOuter else { return result }
        let mustCommit = self.state.withLock { state in
            state.groups[id] = nil
            return Self.mustCommit(&state)
        }
        if mustCommit { self.startCommitting() }
        return result
    }

    // MARK: Committing

    /// Whether a task has to be started that commits.
    private static func mustCommit(_ state: inout State) -> Bool {
        guard !state.isCommitting, state.canCommit else { return false }
        state.isCommitting = true
        return true
    }

    private func startCommitting() {
        Task {
            while let (changes, last) = self.takeBatch() {
                guard await self.commit(changes) else { return self.giveUp() }
                self.backlog.count(-changes.reduce(0) { $0 + $1.weight })
                self.committed.store(last, ordering: .releasing)
                self.tell(last)
            }
        }
    }

    private func takeBatch() -> (changes: [MQTTBrokerChange], last: UInt64)? {
        self.state.withLock { state in
            guard state.canCommit else {
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

    /// Has those go on who wait for a position up to this one.
    private func tell(_ last: UInt64) {
        let ready = self.state.withLock { state in
            let ready = state.waiting.filter { $0.value.position <= last }
            for id in ready.keys { state.waiting[id] = nil }
            return ready.values
        }
        for (_, continuation) in ready { continuation.resume(returning: true) }
        for worker in self.workers.all { worker.eventLoop.execute { worker.changesCommitted() } }
    }

    private func giveUp() {
        let waiting = self.state.withLock { state in
            state.hasGivenUp = true
            return exchange(&state.waiting, with: [:])
        }
        for (_, continuation) in waiting.values { continuation.resume(returning: false) }
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
                    if state.hasGivenUp || Task.isCancelled { return false }
                    state.waiting[id] = (position, continuation)
                    return nil
                }
                if let outcome { continuation.resume(returning: outcome) }
            }
        } onCancel: {
            self.state.withLock { $0.waiting.removeValue(forKey: id) }?.continuation.resume(returning: false)
        }
    }

    /// Has all stored that has changed, as far as it can be; nothing may change afterwards.
    func finish() async {
        let last = self.state.withLock { state in
            state.isStopping = true
            state.pause?.cancel()
            return state.end - 1
        }
        _ = await self.wait(for: last)
    }
}

extension MQTTBrokerChange {
    /// What it weighs in memory, roughly.
    fileprivate var weight: Int {
        let message: MQTTBrokerSnapshot.Message? =
            switch self {
            case .deliveryAdded(_, let delivery): delivery.message
            case .retained(let retained): retained.message
            default: nil
            }
        return 200 + (message?.content.payload.readableBytes ?? 0)
    }
}

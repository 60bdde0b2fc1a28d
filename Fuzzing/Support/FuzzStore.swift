import CurlewBroker
import CurlewCore

/// A store in memory whose commits wait while it is shut, can be made to fail, and have no effect once its broker is
/// dead; used on a single thread.
final class FuzzStore: MQTTBrokerStore, @unchecked Sendable {
    private struct Failure: Error {}

    /// The content that outlives the broker.
    let memory: MQTTMemoryStore
    private var isOpen = true
    private var isDead = false
    private var failsNext = false
    private var waiting: (changes: [MQTTBrokerChange], continuation: UnsafeContinuation<Void, Never>)?
    /// Whether the last commit has failed, so that the broker will retry it.
    private var hasFailed = false

    init(_ memory: MQTTMemoryStore) { self.memory = memory }

    /// Whether everything that the broker has handed over is committed.
    var isIdle: Bool { self.waiting == nil && !self.hasFailed }

    func load() async -> MQTTBrokerSnapshot { self.memory.snapshot }

    func commit(_ changes: [MQTTBrokerChange]) async throws {
        if !self.isOpen { await withUnsafeContinuation { self.waiting = (changes, $0) } }
        self.hasFailed = exchange(&self.failsNext, with: false)
        guard !self.hasFailed, !self.isDead else { throw Failure() }
        await self.memory.commit(changes)
    }

    /// Makes commits wait from now on.
    func shut() { self.isOpen = false }

    /// Lets all commits through, including the waiting one.
    func open() {
        self.isOpen = true
        self.failsNext = false
        exchange(&self.waiting, with: nil)?.continuation.resume()
    }

    /// Makes the next commit fail.
    func failNext() { self.failsNext = true }

    /// The broker dies. Returns the content that outlives it: everything committed, and the waiting commit if it
    /// `isApplied`.
    func die(isApplied: Bool) -> MQTTBrokerSnapshot {
        self.isDead = true
        var snapshot = self.memory.snapshot
        if isApplied, let waiting { for change in waiting.changes { snapshot.apply(change) } }
        self.open()
        return snapshot
    }
}

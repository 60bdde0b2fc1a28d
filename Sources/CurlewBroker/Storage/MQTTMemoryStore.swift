import Synchronization

/// A store in memory: what it keeps outlives the broker, but not the program.
///
/// For a program that stops its broker and starts another one, for tests, and as the model for stores of other kinds.
public final class MQTTMemoryStore: MQTTBrokerStore {
    /// Guards what is kept.
    private let kept: Mutex<MQTTBrokerSnapshot>

    /// Creates a store.
    ///
    /// - Parameter snapshot: What it keeps from the beginning. Default: nothing.
    public init(_ snapshot: MQTTBrokerSnapshot = MQTTBrokerSnapshot()) { self.kept = Mutex(snapshot) }

    /// What it keeps now.
    public var snapshot: MQTTBrokerSnapshot { self.kept.withLock { $0 } }

    /// Returns what it keeps.
    public func load() async -> MQTTBrokerSnapshot { self.snapshot }

    /// Makes changes, in their order.
    public func commit(_ changes: [MQTTBrokerChange]) async {
        self.kept.withLock { kept in
            for change in changes { kept.apply(change) }
        }
    }
}

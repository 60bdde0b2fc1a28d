import CurlewBroker

@testable import CurlewTesting

/// A store whose commits wait for the test, and which can be made to fail.
final class GatedStore: MQTTBrokerStore {
    struct Failure: Error {}

    struct State: Sendable {
        var kept: MQTTBrokerSnapshot
        var isOpen: Bool
        /// The number of commits that succeed before all fail; `nil` for no limit.
        var commitsLeft: Int?
        /// Whether the first failing commit is stored all the same, as if the store crashed before it could report
        /// success.
        var keepsFirstFailure = false
        /// All changes handed to the store, committed or not.
        var changes: [MQTTBrokerChange] = []
        var commits = 0
        var failures = 0
    }

    private let state: Watched<State>

    init(_ kept: MQTTBrokerSnapshot = MQTTBrokerSnapshot(), isOpen: Bool = true, commitsLeft: Int? = nil) {
        self.state = Watched(State(kept: kept, isOpen: isOpen, commitsLeft: commitsLeft))
    }

    var now: State { self.state.change { $0 } }

    func change(_ body: (inout State) -> Void) { self.state.change(body) }

    func wait(for what: String, until condition: @escaping @Sendable (State) -> Bool) async throws {
        _ = try await self.state.wait(for: what, within: .seconds(30)) { condition($0) ? true : nil as Bool? }
    }

    func load() async throws -> MQTTBrokerSnapshot { self.now.kept }

    func commit(_ changes: [MQTTBrokerChange]) async throws {
        self.state.change { $0.changes += changes }
        try await self.wait(for: "the gate") { $0.isOpen }
        let isDone = self.state.change { state in
            if state.commitsLeft == 0 {
                state.failures += 1
                if state.keepsFirstFailure, state.failures == 1 { for change in changes { state.kept.apply(change) } }
                return false
            }
            if let left = state.commitsLeft { state.commitsLeft = left - 1 }
            for change in changes { state.kept.apply(change) }
            state.commits += 1
            return true
        }
        if !isDone { throw Failure() }
    }
}

import CurlewCore
import Synchronization

/// The check of one session by the current rules, a slice at a time: the client may have 100,000 subscriptions, and as
/// many queued messages.
struct RightsCheck {
    private enum Stage {
        case filters(ArraySlice<TopicFilter>)
        case topics(ArraySlice<TopicName>)
    }

    private let session: HostedSession
    private let client: MQTTBrokerClient
    private let rules: ClientRules
    /// The version of the rules.
    private let version: Int
    private var stage: Stage
    /// The filters that the client may no longer have.
    private var refused = TopicTree<Bool>()
    /// The topics that it may no longer receive.
    private var revoked: Set<TopicName> = []

    /// How many filters or topics are checked at a time. While subscriptions are removed, those of all clients are
    /// locked.
    private static let slice = 256

    init(of session: HostedSession, _ engine: BrokerEngine) {
        self.session = session
        let version = engine.authorizationVersion.load(ordering: .acquiring)
        self.version = version
        let filters: [TopicFilter]
        (self.client, self.rules, filters) = session.state.withLock { state in
            (state.client, state.rules, state.rulesVersion == version ? [] : Array(state.subscriptions.keys))
        }
        self.stage = .filters(filters[...])
    }

    /// Checks the next slice.
    ///
    /// - Returns: Whether there is more to check.
    mutating func next(_ engine: BrokerEngine, on worker: Worker) -> Bool {
        switch self.stage {
        case .filters(let filters) where !filters.isEmpty:
            self.check(filters.prefix(Self.slice), engine, on: worker)
            self.stage = .filters(filters.dropFirst(Self.slice))
        case .filters: self.stage = .topics(self.filtersChecked()[...])
        case .topics(let topics) where !topics.isEmpty:
            self.check(topics.prefix(Self.slice), engine, on: worker)
            self.stage = .topics(topics.dropFirst(Self.slice))
        case .topics:
            engine.revoke(self.revoked, from: self.session, on: worker)
            return false
        }
        return true
    }

    private mutating func check(_ filters: ArraySlice<TopicFilter>, _ engine: BrokerEngine, on worker: Worker) {
        worker.onLoop.work += filters.count * LoopState.workPerSubscription
        // User code: under no lock.
        let refused = Set(filters.filter { !self.rules.allows(self.client, .subscribe($0)) })
        guard !refused.isEmpty else { return }
        for filter in refused { self.refused[filter] = true }
        engine.unsubscribe(self.session, refused, on: worker)
        // Retained messages on their way are kept by the connection.
        self.session.state.withLock { $0.connection }?.execute { [session] in
            $0.removeRetained(refused, of: session)
        }
        for filter in refused { engine.events.tell(.subscriptions, .unsubscribed(self.client, filter)) }
    }

    /// All subscriptions are checked. Returns the topics that remain to be checked; only now, so that messages that
    /// came by the earlier subscriptions are included.
    private func filtersChecked() -> [TopicName] {
        self.session.state.withLock { state in
            // Not before: until then, other checks of the session have to look at the same filters.
            if state.rules === self.rules { state.rulesVersion = self.version }
            return self.rules.checksReceiving || !self.refused.isEmpty ? Array(state.session.topicsToWrite) : []
        }
    }

    private mutating func check(_ topics: ArraySlice<TopicName>, _ engine: BrokerEngine, on worker: Worker) {
        worker.onLoop.work += topics.count * LoopState.workPerSubscription
        let subscriptions = engine.currentSubscriptions
        for topic in topics {
            // A message is withdrawn with its subscription, unless another subscription matches it too.
            let isWithdrawn =
                self.refused.containsMatch(of: topic) && !subscriptions.hasMatch(of: topic, for: .session(self.session))
            if isWithdrawn || !self.rules.allowsReceiving(self.client, topic) { self.revoked.insert(topic) }
        }
    }
}

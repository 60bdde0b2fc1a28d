import CurlewCore
import Synchronization

// What a session is counted for in the broker's memory, and what the store is told of it; all under the session's lock.
extension HostedSession {
    /// Counts what the session holds, and records what has changed of its messages.
    ///
    /// - Parameter isExact: Whether to the last byte. Otherwise small changes are left for later: they come with each
    ///   message.
    func account(_ state: inout State, isExact: Bool = false) {
        // A session that is over was counted for the last time.
        guard !state.isOver else { return }
        self.recordMessages(&state)
        let own = state.ownBytes
        let change = own - state.reportedBytes
        if isExact || abs(change) >= Self.smallChange {
            self.budget.changed(by: change)
            state.reportedBytes = own
        }
        self.weight.store(own + state.session.queuedBytes + state.session.bytesInFlight, ordering: .relaxed)
    }

    private static let smallChange = 1024

    /// The session is over: it holds nothing any more.
    func accountEnd(_ state: inout State) {
        self.recordMessages(&state)
        self.budget.changed(by: -state.reportedBytes)
        state.reportedBytes = 0
        self.weight.store(0, ordering: .relaxed)
    }

    private func recordMessages(_ state: inout State) {
        let position = self.recorder.recordMessages(of: &state.session, self.clientIdentifier)
        if let position { state.messagesPosition = position }
    }

    /// Records what is known of the session, if it is stored at all.
    @discardableResult
    func recordSession(_ state: inout State) -> JournalPosition {
        guard self.recorder.journal != nil, !state.isOver else { return .none }
        // A session that was kept once is kept to its end, even if that is now the end of the connection: other members
        // of shared subscriptions may get its messages.
        if state.expiry != .atDisconnect { state.session.isKept = true }
        guard state.session.isKept || state.will != nil else { return self.recordEnd(&state) }
        state.isStored = true
        return self.recorder.record(
            .session(
                MQTTBrokerSnapshot.Session.About(
                    state.client, expiryInterval: state.expiry.seconds, disconnectedAt: state.disconnectedAt,
                    will: state.will.map(MQTTBrokerSnapshot.Will.init))))
    }

    /// Records that the session is over, if it was stored.
    @discardableResult
    func recordEnd(_ state: inout State) -> JournalPosition {
        state.session.isKept = false
        guard exchange(&state.isStored, with: false) else { return .none }
        return self.recorder.record(.sessionEnded(clientIdentifier: state.client.identifier))
    }
}

extension MQTTBrokerSnapshot.Will {
    fileprivate init(_ will: PendingWill) {
        self.init(will.message, delay: will.delay)
    }
}

extension MQTTBrokerSnapshot.Subscription {
    init(_ filter: TopicFilter, _ grant: SubscriptionGrant) {
        self.init(
            filter, qos: grant.qos, noLocal: grant.noLocal, retainAsPublished: grant.retainAsPublished,
            identifier: grant.identifier)
    }
}

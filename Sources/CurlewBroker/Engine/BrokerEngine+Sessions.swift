import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

extension HostedSession {
    /// When something is done to a session that others may have taken up meanwhile.
    enum Presence: Sendable {
        case any
        /// The client is away.
        case away
        /// The client has been away since the connection whose CONNECT has this number.
        case awaySince(UInt64)

        func holds(for state: borrowing State) -> Bool {
            switch self {
            case .any: true
            case .away: state.connection == nil
            case .awaySince(let number): state.connection == nil && state.connectNumber == number
            }
        }
    }
}

// How sessions end, and what becomes of wills (MQTT 5.0 sections 3.1.2.5 and 4.1).
extension BrokerEngine {
    /// The connection of a session is about to leave it: sees to its will and to its end.
    ///
    /// - Parameters:
    ///   - elapsed: How long ago that was. Default: now.
    ///   - worker: On whose loop this is called.
    func detached(_ session: HostedSession, since elapsed: Duration = .zero, on worker: Worker) {
        let (expiry, delay) = session.state.withLock { state in (state.expiry, state.will?.delay) }
        if expiry == .atDisconnect { return self.end(session, on: worker) }
        if let delay {
            if delay <= elapsed {
                self.publishWill(of: session, on: worker)
            } else {
                self.schedule(session, after: delay - elapsed, on: worker) { engine, presence in
                    engine.publishWill(of: session, if: presence, on: worker)
                }
            }
        }
        guard case .after(let seconds) = expiry else { return }
        let left = .seconds(Int64(seconds)) - elapsed
        guard left > .zero else { return self.end(session, on: worker) }
        self.schedule(session, after: left, on: worker) { engine, presence in
            engine.end(session, if: presence, on: worker)
        }
    }

    private func schedule(
        _ session: HostedSession, after delay: Duration, on worker: Worker,
        _ body: @escaping @Sendable (BrokerEngine, HostedSession.Presence) -> Void
    ) {
        // The client may come and go again while what is due waits for its turn; then it is not due yet.
        let presence = HostedSession.Presence.awaySince(session.state.withLock { $0.connectNumber })
        // Very many sessions may be due together.
        let deadline = self.deadlines.schedule(after: delay) { [self] in
            worker.eventLoop.execute { worker.continueLater { body(self, presence) } }
        }
        session.state.withLock { $0.deadlines.append(deadline) }
    }

    /// The client is back: neither its will nor the end of its session is due any more [MQTT-3.1.2-26].
    func cancelDeadlines(of session: HostedSession) {
        let deadlines = session.state.withLock { exchange(&$0.deadlines, with: []) }
        for deadline in deadlines { self.deadlines.cancel(deadline) }
    }

    /// Publishes the will of a client, if it has one that was not published yet [MQTT-3.1.2-8] [MQTT-3.1.2-10].
    ///
    /// - Parameter presence: Does nothing unless that holds.
    func publishWill(of session: HostedSession, if presence: HostedSession.Presence = .any, on worker: Worker) {
        self.group(on: worker) {
            let taken = session.state.withLock { state -> (PendingWill, MQTTBrokerClient, ClientRules)? in
                guard presence.holds(for: state), let will = exchange(&state.will, with: nil) else {
                    return nil
                }
                self.recordSession(&state, on: worker)
                state.countNames()
                self.account(&state, of: session, isExact: true)
                return (will, state.client, state.rules)
            }
            if let (will, client, rules) = taken { self.publish(will, of: client, rules, session, on: worker) }
        }
    }

    private func publish(
        _ will: PendingWill, of client: MQTTBrokerClient, _ rules: ClientRules, _ session: HostedSession,
        on worker: Worker
    ) {
        // The rules may have changed since the client connected.
        guard rules.allows(client, .publish(will.message.topic)) else { return }
        _ = self.publish(
            Publish(will.message), topic: will.message.topic, from: Publisher(client: client, session: session),
            on: worker, now: self.clock.now())
    }

    /// Ends a session: publishes a will that is still due, forgets its subscriptions, and gives what others share to them.
    ///
    /// - Parameter presence: Does nothing unless that holds.
    func end(_ session: HostedSession, if presence: HostedSession.Presence = .any, on worker: Worker) {
        self.group(on: worker) { self.endInGroup(session, if: presence, on: worker) }
    }

    private func endInGroup(_ session: HostedSession, if presence: HostedSession.Presence, on worker: Worker) {
        struct Rest: Sendable {
            var will: PendingWill?
            var client: MQTTBrokerClient
            var rules: ClientRules
            var filters: [TopicFilter]
            var orphans: [(TopicFilter, BrokerMessage)]
            var released: [any HeldPublisher]
        }
        let rest = session.state.withLock { state -> Rest? in
            guard !state.isOver, presence.holds(for: state) else { return nil }
            self.recordEnd(&state, on: worker)
            state.isOver = true
            let orphans = state.session.end()
            self.accountEnd(&state, of: session)
            return Rest(
                will: exchange(&state.will, with: nil), client: state.client, rules: state.rules,
                filters: Array(exchange(&state.subscriptions, with: [:]).keys), orphans: orphans,
                released: state.takePublishersToRelease())
        }
        guard let rest else { return }
        session.release(rest.released)
        self.sessions.remove(session)
        self.cancelDeadlines(of: session)
        self.removeSubscriptions(rest.filters[...], of: session, on: worker)
        if let will = rest.will { self.publish(will, of: rest.client, rest.rules, session, on: worker) }
        self.redeliver(rest.orphans[...], on: worker)
    }

    /// Takes subscriptions of a session that is over out of the index, a slice at a time. Until then they lead to a session that takes
    /// nothing.
    private func removeSubscriptions(_ filters: ArraySlice<TopicFilter>, of session: HostedSession, on worker: Worker) {
        guard !filters.isEmpty else { return }
        let slice = filters.prefix(Self.filtersPerSlice)
        self.changeSubscriptions { index in for filter in slice { index.remove(filter, .session(session)) } }
        worker.onLoop.work += slice.count * LoopState.workPerSubscription
        let rest = filters.dropFirst(slice.count)
        guard !rest.isEmpty else { return }
        worker.continueLater { self.removeSubscriptions(rest, of: session, on: worker) }
    }

    private static let filtersPerSlice = 512
    private static let orphansAtOnce = 512

    /// Gives messages of shared subscriptions whose member has left to other members.
    func redeliver(_ orphans: ArraySlice<(TopicFilter, BrokerMessage)>, on worker: Worker) {
        // With a store, they change their owners together with what else the end of a session changes.
        let some = self.journal == nil ? orphans.prefix(Self.orphansAtOnce) : orphans
        defer {
            let rest = orphans.dropFirst(some.count)
            if !rest.isEmpty { worker.continueLater { self.redeliver(rest, on: worker) } }
        }
        worker.onLoop.work += some.count
        let now = self.clock.now()
        for (filter, message) in some where !message.isExpired(at: now) {
            let entry = self.route(of: message.topic, on: worker)
            guard let group = entry.route.groups.first(where: { $0.filter == filter && !$0.members.isEmpty }) else {
                continue
            }
            var publication = Publication(message)
            entry.turn &+= 1
            var routing = Routing()
            self.deliver(&publication, to: group, turn: entry.turn, on: worker, now: now, &routing)
        }
    }

    // MARK: Subscriptions

    /// Ends subscriptions of a client. What waits because of shared ones goes to others.
    ///
    /// - Returns: Those that there were.
    @discardableResult
    func unsubscribe(_ session: HostedSession, _ filters: Set<TopicFilter>, on worker: Worker) -> Set<TopicFilter> {
        guard !filters.isEmpty else { return [] }
        return self.group(on: worker) { self.unsubscribeInGroup(session, filters, on: worker) }
    }

    private func unsubscribeInGroup(
        _ session: HostedSession, _ filters: Set<TopicFilter>, on worker: Worker
    ) -> Set<TopicFilter> {
        let (ended, orphans) = session.state.withLock { state -> (Set<TopicFilter>, [(TopicFilter, BrokerMessage)]) in
            guard !state.isOver else { return ([], []) }
            let ended = filters.filter { state.forget($0) }
            if state.session.isKept {
                for filter in ended {
                    self.record(.unsubscribed(clientIdentifier: session.clientIdentifier, filter), on: worker)
                }
            }
            state.retained.remove(ended)
            let groups = ended.filter(\.isShared)
            if !groups.isEmpty { worker.onLoop.work += state.session.queuedMessages }
            let orphans = state.session.left(groups)
            self.account(&state, of: session, isExact: true)
            return (ended, orphans)
        }
        if !ended.isEmpty {
            self.changeSubscriptions { index in for filter in ended { index.remove(filter, .session(session)) } }
        }
        self.redeliver(orphans[...], on: worker)
        return ended
    }
}

extension HostedSession.State {
    /// What a filter counts for in the bound on subscriptions: measured, with the nodes and tables that it needs. Its text is stored several times.
    private static func weight(_ filter: TopicFilter) -> Int { 3 * filter.string.utf8.count + 512 }

    /// Remembers a subscription, if there is room for it.
    ///
    /// - Parameter room: How many bytes more the client may hold.
    mutating func remember(
        _ filter: TopicFilter, _ grant: SubscriptionIndex<Subscriber>.Grant, limits: MQTTBrokerConfiguration.Limits?,
        room: Int = .max
    ) -> Bool {
        if self.subscriptions[filter] == nil {
            let pattern = WildcardPattern(of: filter)
            if let limits {
                guard Self.weight(filter) <= room, self.subscriptions.count < limits.maximumSubscriptionsPerClient,
                    self.subscriptionBytes <= limits.maximumSubscriptionBytesPerClient - Self.weight(filter),
                    !filter.isShared || self.sharedSubscriptions < limits.maximumSharedSubscriptionsPerClient,
                    pattern.map({ self.patterns[$0] != nil }) ?? true
                        || self.patterns.count < limits.maximumWildcardPatternsPerClient
                else { return false }
            }
            self.subscriptionBytes += Self.weight(filter)
            if filter.isShared { self.sharedSubscriptions += 1 }
            if let pattern { self.patterns[pattern, default: 0] += 1 }
        }
        self.subscriptions[filter] = grant
        return true
    }

    /// Forgets a subscription. Returns whether there was one.
    mutating func forget(_ filter: TopicFilter) -> Bool {
        guard self.subscriptions.removeValue(forKey: filter) != nil else { return false }
        self.subscriptionBytes -= Self.weight(filter)
        if filter.isShared { self.sharedSubscriptions -= 1 }
        if let pattern = WildcardPattern(of: filter), let count = self.patterns[pattern] {
            self.patterns[pattern] = count > 1 ? count - 1 : nil
        }
        return true
    }
}

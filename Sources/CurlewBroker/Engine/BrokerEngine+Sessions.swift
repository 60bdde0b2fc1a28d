import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

extension HostedSession {
    /// A condition for changing a session that a client may have resumed in the meantime.
    enum Presence: Sendable {
        case any
        /// The client is disconnected.
        case away
        /// The client has been disconnected since the connection whose CONNECT has this number.
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

// How sessions end, and what happens to wills and to messages of shared subscriptions (MQTT 5.0 sections 3.1.2.5, 4.1
// and 4.8.2).
extension BrokerEngine {
    /// The connection of a session is about to leave it: publishes its will and ends it, now or later.
    ///
    /// - Parameters:
    ///   - elapsed: How long ago that was. Default: now.
    ///   - worker: On whose loop this is called.
    func detached(_ session: HostedSession, since elapsed: Duration = .zero, on worker: Worker) {
        let departure = session.state.withLock { state in
            Departure(expiry: state.expiry, willDelay: state.will?.delay, elapsed: elapsed)
        }
        switch departure.will {
        case .none: break
        case .now: self.publishWill(of: session, on: worker)
        case .after(let delay):
            self.schedule(session, after: delay, on: worker) { engine, presence in
                engine.publishWill(of: session, if: presence, on: worker)
            }
        }
        switch departure.end {
        case .now: self.end(session, on: worker)
        case .after(let delay):
            self.schedule(session, after: delay, on: worker) { engine, presence in
                engine.end(session, if: presence, on: worker)
            }
        case .never: break
        }
    }

    private func schedule(
        _ session: HostedSession, after delay: Duration, on worker: Worker,
        _ body: @escaping @Sendable (BrokerEngine, HostedSession.Presence) -> Void
    ) {
        // The client may connect and disconnect again in the meantime; then this is not due yet.
        let presence = HostedSession.Presence.awaySince(session.state.withLock { $0.connectNumber })
        // Very many sessions may be due at the same time.
        let deadline = self.deadlines.schedule(after: delay) { [self] in
            worker.eventLoop.execute { worker.continueLater { body(self, presence) } }
        }
        session.state.withLock { $0.deadlines.append(deadline) }
    }

    /// The client is back: neither its will nor the end of its session is due [MQTT-3.1.2-26].
    func cancelDeadlines(of session: HostedSession) {
        let deadlines = session.state.withLock { exchange(&$0.deadlines, with: []) }
        for deadline in deadlines { self.deadlines.cancel(deadline) }
    }

    // MARK: The end of a session

    /// Ends a session: publishes a will that is still due, removes its subscriptions, and gives messages of shared
    /// subscriptions to other members.
    ///
    /// - Parameter presence: Does nothing unless that holds.
    func end(_ session: HostedSession, if presence: HostedSession.Presence = .any, on worker: Worker) {
        var decided: DecidedWill?
        var routing = Routing()
        self.untilDone { attempt in
            decided = self.decideWill(of: session, if: presence, decided)
            guard let will = decided else { return .uncalledFor }
            let routes = self.prepareRoutes(ofOrphansOf: session, on: worker) { $0.end() }
            var ended: Ended?
            return self.routeWill(will, attempt, on: worker, &routing) { _ in
                let (outcome, what) = session.state.withLock { state -> (Outcome, Ended?) in
                    guard !state.isOver, presence.holds(for: state) else { return (.uncalledFor, nil) }
                    guard will.isCurrent(state) else { return (.outdated, nil) }
                    return self.end(&state, of: session, routes, attempt)
                }
                ended = what
                return outcome
            } then: { routing in
                guard let ended else { return }
                session.release(ended.released)
                self.sessions.remove(session)
                self.cancelDeadlines(of: session)
                self.removeSubscriptions(ended.filters[...], of: session, on: worker)
                self.redeliver(ended.orphans, routes, on: worker, &routing)
            }
        }
        if let topic = decided?.publication?.topic {
            self.finishPublishing(topic, routing, on: worker)
        } else {
            self.complete(routing.effects, on: worker)
        }
    }

    /// What is left of a session that is over.
    private struct Ended: Sendable {
        var filters: [TopicFilter]
        var orphans: [Effects.Orphan]
        var released: [any HeldPublisher]
    }

    /// Ends a session under its lock.
    private func end(
        _ state: inout HostedSession.State, of session: HostedSession, _ routes: PreparedRoutes, _ attempt: Attempt
    ) -> (Outcome, Ended?) {
        var emptied = state.session
        let orphans = emptied.end()
        guard routes.include(orphans) || attempt.mustProceed else { return (.outdated, nil) }
        session.recordEnd(&state)
        state.isOver = true
        state.session = emptied
        state.retained = PendingRetained()
        state.will = nil
        session.accountEnd(&state)
        return (
            .done,
            Ended(
                filters: Array(exchange(&state.subscriptions, with: [:]).keys), orphans: orphans,
                released: state.takePublishersToRelease())
        )
    }

    /// Removes subscriptions of a session that is over from the index, a slice at a time. Until then they lead to a
    /// session that takes nothing.
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

    // MARK: Subscriptions

    /// Subscriptions of a client that have ended.
    struct Unsubscribed: Sendable {
        var filters: Set<TopicFilter> = []
        /// The position in the journal that an answer waits for.
        var position = JournalPosition.none
    }

    /// Ends subscriptions of a client. Messages that wait because of shared ones go to other members.
    @discardableResult
    func unsubscribe(_ session: HostedSession, _ filters: Set<TopicFilter>, on worker: Worker) -> Unsubscribed {
        guard !filters.isEmpty else { return Unsubscribed() }
        var routing = Routing()
        var ended: Set<TopicFilter> = []
        let groups = filters.filter(\.isShared)
        self.untilDone { attempt in
            let routes =
                groups.isEmpty
                ? PreparedRoutes(areOptional: true)
                : self.prepareRoutes(ofOrphansOf: session, on: worker) { $0.left(groups) }
            return self.recorder.group {
                guard let left = self.leave(filters, of: session, routes, attempt, on: worker) else { return .outdated }
                ended = left.filters
                routing.effects.wait(for: left.position)
                if !ended.isEmpty {
                    self.changeSubscriptions { index in
                        for filter in left.filters { index.remove(filter, .session(session)) }
                    }
                }
                self.redeliver(left.orphans, routes, on: worker, &routing)
                return .done
            }
        }
        self.complete(routing.effects, on: worker)
        return Unsubscribed(filters: ended, position: routing.effects.position)
    }

    /// Subscriptions that a session has left.
    private struct Left: Sendable {
        var filters: Set<TopicFilter> = []
        var orphans: [Effects.Orphan] = []
        var position = JournalPosition.none
    }

    /// Removes subscriptions from a session. Returns `nil` if it does nothing because the routes are outdated.
    private func leave(
        _ filters: Set<TopicFilter>, of session: HostedSession, _ routes: PreparedRoutes, _ attempt: Attempt,
        on worker: Worker
    ) -> Left? {
        session.state.withLock { state in
            guard !state.isOver else { return Left() }
            let groups = filters.filter { $0.isShared && state.subscriptions[$0] != nil }
            if !groups.isEmpty { worker.onLoop.work += state.session.queuedMessages }
            var rest = state.session
            let orphans = rest.left(groups)
            guard routes.include(orphans) || attempt.mustProceed else { return nil }
            state.session = rest
            var left = Left(filters: filters.filter { state.forget($0) }, orphans: orphans)
            if state.session.isKept {
                for filter in left.filters {
                    left.position.advance(
                        to: self.recorder.record(.unsubscribed(clientIdentifier: session.clientIdentifier, filter)))
                }
            }
            state.retained.remove(left.filters)
            session.account(&state, isExact: true)
            return left
        }
    }
}

extension HostedSession.State {
    /// The memory of a subscription, as measured: its text is stored several times, in nodes and tables.
    private static func weight(_ filter: TopicFilter) -> Int { 3 * filter.string.utf8.count + 512 }

    /// Adds a subscription, if there is room for it.
    ///
    /// - Parameter room: How many more bytes the client may hold.
    mutating func remember(
        _ filter: TopicFilter, _ grant: SubscriptionGrant, limits: MQTTBrokerConfiguration.Limits?,
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

    /// Removes a subscription. Returns whether there was one.
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

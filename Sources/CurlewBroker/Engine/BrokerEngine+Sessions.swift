import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

// How sessions end, and what becomes of wills (MQTT 5.0 sections 3.1.2.5 and 4.1).
extension BrokerEngine {
    /// The connection of a session is gone: sees to its will and to its end.
    ///
    /// - Parameter worker: On whose loop this is called.
    func detached(_ session: HostedSession, on worker: Worker) {
        let (expiry, delay) = session.state.withLock { state in (state.expiry, state.will?.delay) }
        if expiry == .atDisconnect { return self.end(session, on: worker) }
        if let delay {
            if delay <= .zero {
                self.publishWill(of: session, on: worker)
            } else {
                self.schedule(session, after: delay, on: worker) { $0.publishWill(of: session, on: worker) }
            }
        }
        guard case .after(let seconds) = expiry else { return }
        self.schedule(session, after: .seconds(Int64(seconds)), on: worker) { $0.end(session, on: worker) }
    }

    private func schedule(
        _ session: HostedSession, after delay: Duration, on worker: Worker,
        _ body: @escaping @Sendable (BrokerEngine) -> Void
    ) {
        let deadline = self.deadlines.schedule(after: delay) { [self] in
            worker.eventLoop.execute {
                // The client may be back, and this on its way.
                guard !session.isConnected else { return }
                body(self)
            }
        }
        session.state.withLock { $0.deadlines.append(deadline) }
    }

    /// The client is back: neither its will nor the end of its session is due any more [MQTT-3.1.3-9].
    func cancelDeadlines(of session: HostedSession) {
        let deadlines = session.state.withLock { exchange(&$0.deadlines, with: []) }
        for deadline in deadlines { self.deadlines.cancel(deadline) }
    }

    /// Publishes the will of a client, if it has one that was not published yet [MQTT-3.1.2-8] [MQTT-3.1.2-10].
    func publishWill(of session: HostedSession, on worker: Worker) {
        let (will, client) = session.state.withLock { (exchange(&$0.will, with: nil), $0.client) }
        guard let will, let topic = will.publish.topic else { return }
        _ = self.publish(
            will.publish, topic: topic, from: Publisher(client: client, session: session), on: worker,
            now: self.clock.now())
    }

    /// Ends a session: publishes a will that is still due, forgets its subscriptions, and gives what others share to them.
    func end(_ session: HostedSession, on worker: Worker) {
        self.publishWill(of: session, on: worker)
        self.cancelDeadlines(of: session)
        let (filters, orphans) = session.state.withLock { state -> ([TopicFilter], [(TopicFilter, BrokerMessage)]) in
            guard !state.isOver else { return ([], []) }
            state.isOver = true
            let orphans = state.session.end()
            self.account(&state)
            return (Array(exchange(&state.subscriptions, with: [:]).keys), orphans)
        }
        self.sessions.remove(session)
        if !filters.isEmpty {
            self.changeSubscriptions { index in for filter in filters { index.remove(filter, .session(session)) } }
        }
        self.redeliver(orphans, on: worker)
    }

    /// Gives messages of shared subscriptions whose member has left to other members.
    func redeliver(_ orphans: [(TopicFilter, BrokerMessage)], on worker: Worker) {
        let now = self.clock.now()
        for (filter, message) in orphans where !message.isExpired(at: now) {
            let entry = self.route(of: message.topic, on: worker)
            guard let group = entry.route.groups.first(where: { $0.filter == filter && !$0.members.isEmpty }) else {
                continue
            }
            var publication = Publication(message)
            entry.turn &+= 1
            self.deliver(&publication, to: group, turn: entry.turn, on: worker, now: now)
        }
    }
}

extension BrokerEngine {
    /// Asks again whether clients may have what they have subscribed to, after the rules have changed.
    func recheckSubscriptions() {
        self.authorizationVersion.wrappingAdd(1, ordering: .relaxed)
        for session in self.sessions.all {
            let (client, rules, filters) = session.state.withLock {
                ($0.client, $0.rules, Array($0.subscriptions.keys))
            }
            let refused = filters.filter { !rules.allows(client, .subscribe($0)) }
            guard !refused.isEmpty else { continue }
            session.state.withLock { state in for filter in refused { state.subscriptions[filter] = nil } }
            self.changeSubscriptions { index in for filter in refused { index.remove(filter, .session(session)) } }
            for filter in refused { self.events.tell(.subscriptions, .unsubscribed(client, filter)) }
        }
        self.forgetRoutes()
    }
}

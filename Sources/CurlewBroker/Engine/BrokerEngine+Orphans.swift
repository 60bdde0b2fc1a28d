import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

// Orphans: messages of a shared subscription whose member has left before it got them. They go to other members.
extension BrokerEngine {
    /// The routes of messages that may become orphans, found before a group begins.
    struct PreparedRoutes {
        var entries: [TopicName: RouteCache.Entry] = [:]
        /// Whether routes can be found within the group as well.
        let areOptional: Bool

        /// Whether the routes of all these messages are known, or need not be.
        func include(_ orphans: [Effects.Orphan]) -> Bool {
            self.areOptional || orphans.allSatisfy { self.entries[$0.message.topic] != nil }
        }
    }

    /// Finds the routes of the messages that a change of a session would make orphans; under no lock.
    func prepareRoutes(
        ofOrphansOf session: HostedSession, on worker: Worker, _ change: (inout BrokerSession) -> [Effects.Orphan]
    ) -> PreparedRoutes {
        guard self.asksAboutReceivers else { return PreparedRoutes(areOptional: true) }
        var routes = PreparedRoutes(areOptional: false)
        // In a copy.
        var copy = session.state.withLock { $0.session }
        for orphan in change(&copy) where routes.entries[orphan.message.topic] == nil {
            routes.entries[orphan.message.topic] = self.receivers(of: orphan.message.topic, on: worker)
        }
        return routes
    }

    /// Gives messages of shared subscriptions whose member has left to other members; within the group of the change
    /// that made them orphans: with a store, they change their owners together with what else changes.
    func redeliver(
        _ orphans: [Effects.Orphan], _ routes: PreparedRoutes, on worker: Worker, _ routing: inout Routing
    ) {
        for orphan in orphans {
            let entry = routes.entries[orphan.message.topic]
            // Without a store there is no hurry, and other connections have their turn in between.
            guard self.journal != nil, entry != nil || routes.areOptional else {
                routing.effects.add(orphan)
                continue
            }
            self.redeliver(orphan, over: entry, on: worker, &routing)
        }
    }

    /// Gives messages of shared subscriptions whose member has left to other members; under no lock, with pauses.
    func redeliverInTurns(_ orphans: ArraySlice<Effects.Orphan>, on worker: Worker) {
        var routing = Routing()
        for orphan in orphans.prefix(Self.orphansAtOnce) { self.redeliver(orphan, on: worker, &routing) }
        self.complete(routing.effects, on: worker)
        let rest = orphans.dropFirst(Self.orphansAtOnce)
        if !rest.isEmpty { worker.continueLater { self.redeliverInTurns(rest, on: worker) } }
    }

    private static let orphansAtOnce = 512

    private func redeliver(
        _ orphan: Effects.Orphan, over entry: RouteCache.Entry? = nil, on worker: Worker, _ routing: inout Routing
    ) {
        worker.onLoop.work += 1
        let now = self.clock.now()
        guard !orphan.message.isExpired(at: now) else { return }
        let entry = entry ?? self.receivers(of: orphan.message.topic, on: worker)
        let group = entry.route.groups.first { $0.filter == orphan.filter && !$0.members.isEmpty }
        guard let group else { return }
        var publication = Publication(orphan.message)
        entry.turn &+= 1
        self.share(&publication, among: group, turn: entry.turn, on: worker, now: now, &routing)
    }

    /// Gives up messages that still wait for a client. Those of shared subscriptions go to other members.
    func revoke(_ topics: Set<TopicName>, from session: HostedSession, on worker: Worker) {
        guard !topics.isEmpty else { return }
        var routing = Routing()
        self.untilDone { attempt in
            let routes = self.prepareRoutes(ofOrphansOf: session, on: worker) { $0.revoke(topics).orphans }
            return self.recorder.group {
                let revoked = session.state.withLock { state -> BrokerSession.Revoked? in
                    worker.onLoop.work += state.session.queuedMessages
                    if !attempt.mustProceed, self.asksAboutReceivers {
                        var copy = state.session
                        guard routes.include(copy.revoke(topics).orphans) else { return nil }
                    }
                    defer { session.account(&state, isExact: true) }
                    return state.session.revoke(topics)
                }
                guard let revoked else { return .outdated }
                self.redeliver(revoked.orphans, routes, on: worker, &routing)
                for topic in revoked.dropped {
                    self.countDropped(
                        topic, .notAuthorized, for: session.clientIdentifier, on: worker, &routing.effects)
                }
                return .done
            }
        }
        self.complete(routing.effects, on: worker)
    }
}

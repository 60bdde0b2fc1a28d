import CurlewCore
import Logging
import Synchronization

// Rights that were given are checked again: when the rules have changed, and when a session goes on under other rules.
extension BrokerEngine {
    /// The rules have changed: whatever was decided before counts no more.
    func rulesChanged() {
        self.authorizationVersion.wrappingAdd(1, ordering: .releasing)
        self.forgetRoutes()
    }

    /// Checks the subscriptions and the waiting messages of all sessions, after the rules have changed; on the worker's loop, with pauses.
    ///
    /// - Parameters:
    ///   - sessions: Whose. Default: everybody's.
    ///   - end: What comes then.
    func recheckSessions(
        _ sessions: [HostedSession]? = nil, on worker: Worker, then end: @escaping () -> Void
    ) {
        var rest = (sessions ?? self.sessions.all)[...]
        var check: RightsCheck?
        worker.inTurns {
            if check?.next(self, on: worker) == true { return true }
            guard let session = rest.popFirst() else { return false }
            self.endSessionOfRemovedUser(session, on: worker)
            check = RightsCheck(of: session, self)
            return true
        } then: {
            end()
        }
    }

    /// Ends the subscriptions that the current rules do not allow, and gives up the messages that the client may not receive any more;
    /// on the worker's loop, with pauses.
    ///
    /// - Parameter end: What comes then.
    func recheck(_ session: HostedSession, on worker: Worker, then end: @escaping () -> Void) {
        var check = RightsCheck(of: session, self)
        worker.inTurns {
            check.next(self, on: worker)
        } then: {
            end()
        }
    }

    // MARK: Removed users

    /// Ends the session of a client that is away and whose user was removed, unless such sessions are to be kept.
    func endSessionOfRemovedUser(_ session: HostedSession, on worker: Worker) {
        guard self.configuration.behaviour.endsSessionsOfRemovedUsers else { return }
        let (claimed, method, credentials, client, rules, isAway) = session.state.withLock {
            ($0.claimed, $0.authenticationMethod, $0.credentials, $0.client, $0.rules, $0.connection == nil)
        }
        guard isAway else { return }
        let isRemoved =
            if let claimed {
                zip(credentials, rules.credentials(of: claimed, method: method)).contains { before, now in
                    if case .known = before { now == .unknownUser } else { false }
                }
            } else {
                // Restored: only authenticators that all know nobody of that name tell that it was removed.
                client.username != nil && !rules.authenticators.isEmpty && rules.enhancedAuthenticators.isEmpty
                    && rules.credentials(of: client, method: nil).allSatisfy { $0 == .unknownUser }
            }
        guard isRemoved else { return }
        // Clients are named at debug alone.
        let names: Logger.Metadata =
            self.clientLog.isDetailed ? ["client": "\(session.clientIdentifier.printable)"] : [:]
        self.logger.notice("a session was ended: its user was removed", metadata: names)
        self.end(session, if: .away, on: worker)
    }
}

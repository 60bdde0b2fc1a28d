import CurlewCore
import Logging
import Synchronization

// Rights are checked again when the rules have changed, and when a session is resumed under other rules.
extension BrokerEngine {
    /// The rules have changed: earlier decisions are void.
    func rulesChanged() {
        self.authorizationVersion.wrappingAdd(1, ordering: .releasing)
        self.forgetRoutes()
    }

    /// Checks the subscriptions and the waiting messages of all sessions, after the rules have changed; on the worker's
    /// loop, with pauses.
    ///
    /// - Parameters:
    ///   - sessions: The sessions to check. Default: all.
    ///   - end: Called at the end.
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

    /// Ends the subscriptions that the current rules do not allow, and drops the messages that the client may no longer
    /// receive; on the worker's loop, with pauses.
    ///
    /// - Parameter end: Called at the end.
    func recheck(_ session: HostedSession, on worker: Worker, then end: @escaping () -> Void) {
        var check = RightsCheck(of: session, self)
        worker.inTurns {
            check.next(self, on: worker)
        } then: {
            end()
        }
    }

    // MARK: Removed users

    /// Ends the session of a disconnected client whose user was removed, unless such sessions are to be kept.
    func endSessionOfRemovedUser(_ session: HostedSession, on worker: Worker) {
        guard self.configuration.behavior.endsSessionsOfRemovedUsers else { return }
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
                // A restored session: the user counts as removed only if no authenticator knows it.
                client.username != nil && !rules.authenticators.isEmpty && rules.enhancedAuthenticators.isEmpty
                    && rules.credentials(of: client, method: nil).allSatisfy { $0 == .unknownUser }
            }
        guard isRemoved else { return }
        // Clients are named only at debug level.
        let names: Logger.Metadata =
            self.clientLog.isDetailed ? ["client": "\(session.clientIdentifier.printable)"] : [:]
        self.logger.notice("a session was ended: its user was removed", metadata: names)
        self.end(session, if: .away, on: worker)
    }
}

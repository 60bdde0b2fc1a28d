import Synchronization

/// All sessions by client identifier.
final class SessionRegistry: Sendable {
    /// Guards the map alone; a session has a lock of its own, which is never taken under this one.
    private let sessions = Mutex<[String: HostedSession]>([:])

    var count: Int { self.sessions.withLock { $0.count } }

    var all: [HostedSession] { self.sessions.withLock { Array($0.values) } }

    subscript(clientIdentifier: String) -> HostedSession? { self.sessions.withLock { $0[clientIdentifier] } }

    /// The session of that identifier, or `make()` if there is none and fewer than `maximum`; `nil` if there is no room.
    func findOrInsert(
        _ clientIdentifier: String, maximum: Int, _ make: () -> HostedSession
    ) -> (session: HostedSession, isNew: Bool)? {
        if let session = self[clientIdentifier] { return (session, false) }
        let new = make()
        return self.sessions.withLock { sessions in
            if let session = sessions[clientIdentifier] { return (session, false) }
            guard sessions.count < maximum else { return nil }
            sessions[clientIdentifier] = new
            return (new, true)
        }
    }

    /// Removes the session, if it is still the one of its identifier.
    func remove(_ session: HostedSession) {
        self.sessions.withLock { sessions in
            if sessions[session.clientIdentifier] === session { sessions[session.clientIdentifier] = nil }
        }
    }
}

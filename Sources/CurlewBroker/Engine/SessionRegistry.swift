import CurlewCore
import Synchronization

/// All sessions by client identifier, compared byte by byte.
final class SessionRegistry: Sendable {
    /// Guards only the map. Each session has a lock of its own, which is never taken under this one.
    private let sessions = Mutex<[ExactText: HostedSession]>([:])

    var count: Int { self.sessions.withLock { $0.count } }

    var all: [HostedSession] { self.sessions.withLock { Array($0.values) } }

    subscript(clientIdentifier: String) -> HostedSession? {
        self.sessions.withLock { $0[ExactText(clientIdentifier)] }
    }

    /// The session of that identifier, or `make()` if there is none and fewer than `maximum`; `nil` if there is no
    /// room.
    func findOrInsert(
        _ clientIdentifier: String, maximum: Int, _ make: () -> HostedSession
    ) -> HostedSession? {
        if let session = self[clientIdentifier] { return session }
        let new = make()
        let key = ExactText(clientIdentifier)
        return self.sessions.withLock { sessions in
            if let session = sessions[key] { return session }
            guard sessions.count < maximum else { return nil }
            sessions[key] = new
            return new
        }
    }

    /// Removes the session, if it is still the one of its identifier.
    func remove(_ session: HostedSession) {
        let key = ExactText(session.clientIdentifier)
        self.sessions.withLock { sessions in
            if sessions[key] === session { sessions[key] = nil }
        }
    }
}

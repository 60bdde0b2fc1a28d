import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

// Re-authentication (MQTT 5.0 section 4.12.1).
extension ClientEngine {
    nonisolated(nonsending) func reauthenticate(timeout: Duration?) async throws(MQTTError) {
        guard let authentication = self.configuration.enhancedAuthentication else {
            throw MQTTError(.invalidArgument, "The configuration has no `enhancedAuthentication`.")
        }
        let data: ByteBuffer?
        do { data = try await authentication.authenticator.begin() } catch {
            throw MQTTError(.authenticationFailed, "The authentication could not begin: \(error)", cause: error)
        }
        let result = OneShot<MQTTError?>()
        let connection = self.state.withLock { state in
            if state.connection.bound != nil { state.connection.reauthentications.append(result) }
            return state.connection.bound
        }
        guard let connection else { throw MQTTError(.connectionClosed, "There is no connection to authenticate on.") }
        self.eventLoop.execute { connection.value.reauthenticate(authentication.method, data) }
        defer { self.state.withLock { state in state.connection.reauthentications.removeAll { $0 === result } } }
        let limit = timeout ?? self.configuration.connection.handshakeTimeout
        switch await result.wait(for: limit, by: self.deadlines) {
        case .value(let error): if let error { throw error }
        case .timedOut:
            throw MQTTError(.timedOut, "The server did not finish the authentication within \(limit).")
        case .cancelled: throw MQTTError(.cancelled, "The task was cancelled.")
        }
    }

    func reauthenticated(_ error: MQTTError?) {
        for result in self.state.withLock({ exchange(&$0.connection.reauthentications, with: []) }) {
            result.set(error)
        }
    }
}

import CurlewCore
public import NIOCore
import Synchronization

/// The client's side of an enhanced authentication, a challenge and response such as SCRAM (MQTT 5.0 section 4.12).
public protocol MQTTAuthenticator: Sendable {
    /// What the CONNECT, or the AUTH that begins a re-authentication, carries as authentication data; `nil` for none.
    func begin() async throws -> ByteBuffer?

    /// Answers a challenge of the server. Throwing ends the connection with `authenticationFailed`.
    func respond(to challenge: ByteBuffer?) async throws -> ByteBuffer?

    /// Looks at what came with the server's consent, for methods in which the server proves itself. Called on the client's
    /// event loop before anything else is sent; throwing ends the connection. Default: accepts.
    func finish(with data: ByteBuffer?) throws
}

extension MQTTAuthenticator {
    /// Accepts.
    public func finish(with data: ByteBuffer?) throws {}
}

extension MQTTConfiguration {
    /// An enhanced authentication; needs MQTT 5.0.
    public struct Authentication: Sendable {
        /// The name of the method as the server knows it, for example `SCRAM-SHA-256`.
        public var method: String
        /// What answers the server's challenges.
        public var authenticator: any MQTTAuthenticator

        /// Makes an authentication.
        public init(method: String, authenticator: any MQTTAuthenticator) {
            self.method = method
            self.authenticator = authenticator
        }
    }
}

extension MQTTClient {
    /// Authenticates anew on the connection that is there, for instance before a token expires (MQTT 5.0 section 4.12.1).
    ///
    /// - Parameter timeout: How long to wait for the server. Default: `connection.handshakeTimeout`.
    /// - Throws: ``MQTTError``: `invalidArgument` without `authentication` in the configuration, `connectionClosed` when there
    ///   is no connection or it ends, `authenticationFailed`, `timedOut` or `cancelled`.
    public nonisolated(nonsending) func reauthenticate(timeout: Duration? = nil) async throws(MQTTError) {
        guard let authentication = self.configuration.authentication else {
            throw MQTTError(.invalidArgument, "The configuration has no `authentication` to repeat.")
        }
        let data: ByteBuffer?
        do { data = try await authentication.authenticator.begin() } catch {
            throw MQTTError(.authenticationFailed, "The authentication could not begin: \(error)", cause: error)
        }
        let result = OneShot<MQTTError?>()
        let connection = self.shared.withLock { shared in
            if shared.connection != nil { shared.reauthentications.append(result) }
            return shared.connection
        }
        guard let connection else { throw MQTTError(.connectionClosed, "There is no connection to authenticate on.") }
        self.eventLoop.execute { connection.value.reauthenticate(authentication.method, data) }
        let limit = timeout ?? self.configuration.connection.handshakeTimeout
        let deadline = self.deadlines.schedule(after: limit) {
            result.set(MQTTError(.timedOut, "The server did not finish the authentication within \(limit)."))
        }
        defer {
            self.deadlines.cancel(deadline)
            self.shared.withLock { shared in shared.reauthentications.removeAll { $0 === result } }
        }
        guard let error = await result.wait() else { throw MQTTError(.cancelled, "The task was cancelled.") }
        if let error { throw error }
    }

    /// The server has consented to a re-authentication, or the connection has ended before.
    func reauthenticated(_ error: MQTTError?) {
        for result in self.shared.withLock({ exchange(&$0.reauthentications, with: []) }) { result.set(error) }
    }
}

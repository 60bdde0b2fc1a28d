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

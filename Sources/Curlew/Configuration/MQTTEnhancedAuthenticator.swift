import CurlewCore
public import NIOCore
import Synchronization

/// The client's side of an enhanced authentication: challenge and response, such as SCRAM (MQTT 5.0 section 4.12).
public protocol MQTTEnhancedAuthenticator: Sendable {
    /// Returns the authentication data for CONNECT, or for the AUTH that begins a re-authentication; `nil` for none.
    ///
    /// An error that it throws fails the connection attempt or the re-authentication with the code
    /// `authenticationFailed`.
    func begin() async throws -> ByteBuffer?

    /// Answers a challenge of the broker. If it throws, the connection ends with the code `authenticationFailed`.
    func respond(to challenge: ByteBuffer?) async throws -> ByteBuffer?

    /// Verifies the authentication data that comes with the broker's success, for methods in which the broker proves
    /// its identity too. Called on the client's event loop before anything else is sent. If it throws, the connection
    /// ends. Default: accepts.
    func finish(with data: ByteBuffer?) throws
}

extension MQTTEnhancedAuthenticator {
    /// Accepts any data.
    public func finish(with data: ByteBuffer?) throws {}
}

extension MQTTConfiguration {
    /// Settings of an enhanced authentication; needs MQTT 5.0.
    public struct EnhancedAuthentication: Sendable {
        /// The authentication method as the broker knows it, for example `SCRAM-SHA-256`.
        public var method: String
        /// Answers the broker's challenges.
        public var authenticator: any MQTTEnhancedAuthenticator

        /// Creates the settings.
        public init(method: String, authenticator: any MQTTEnhancedAuthenticator) {
            self.method = method
            self.authenticator = authenticator
        }
    }
}

public import CurlewCore

extension MQTTConfiguration {
    /// Who the client says it is (MQTT 5.0 sections 3.1.3.5 and 3.1.3.6). Descriptions and dumps show no password.
    public struct Credentials: Sendable, CustomStringConvertible {
        package enum Source: Sendable {
            case none
            case fixed(Login)
            case provider(@Sendable () async throws -> Login)
        }

        package let source: Source

        /// Neither user name nor password.
        public static let none = Self(source: .none)

        /// A user name and a password that stay the same. Without TLS everybody on the way can read both.
        ///
        /// - Parameters:
        ///   - username: The user name; `nil` sends the password alone, which needs 5.0.
        ///   - password: The password, text or bytes; `nil` sends the user name alone.
        public static func password(username: String?, password: MQTTPassword?) -> Self {
            Self(source: .fixed(Login(username: username, password: password)))
        }

        /// What `provide` gives, called before each connection: for tokens that expire.
        ///
        /// An error that it throws fails that try to connect, with the code `.authenticationFailed`.
        public static func provider(_ provide: @escaping @Sendable () async throws -> Login) -> Self {
            Self(source: .provider(provide))
        }

        /// The user name, and whether there is a password.
        public var description: String {
            switch self.source {
            case .none: "none"
            case .fixed(let login): login.description
            case .provider: "asked from a provider at each connecting"
            }
        }
    }

    /// A user name, a password, both or neither.
    public struct Login: Sendable, Hashable, CustomStringConvertible {
        /// The user name.
        public var username: String?
        /// The password.
        public var password: MQTTPassword?

        /// Makes a login.
        public init(username: String? = nil, password: MQTTPassword? = nil) {
            self.username = username
            self.password = password
        }

        /// The user name, and whether there is a password.
        public var description: String {
            let user = self.username.map { "user '\($0)'" } ?? "no user name"
            return user + (self.password.map { ", password \($0)" } ?? ", no password")
        }
    }
}

extension MQTTConfiguration {
    /// Whether nothing tells the server who the client is.
    var isAnonymous: Bool {
        guard case .fixed(let login) = self.credentials.source else { return false }
        return login.username == nil && login.password == nil && self.tls.clientCertificate == nil
    }
}

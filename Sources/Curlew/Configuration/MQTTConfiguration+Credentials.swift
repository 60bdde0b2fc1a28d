public import CurlewCore

extension MQTTConfiguration {
    /// How the client identifies itself (MQTT 5.0 sections 3.1.3.5 and 3.1.3.6). Descriptions and dumps show no
    /// password.
    public struct Credentials: Sendable, CustomStringConvertible {
        package enum Source: Sendable {
            case none
            case fixed(Login)
            case provider(@Sendable () async throws -> Login)
        }

        package let source: Source

        /// No user name and no password.
        public static let none = Self(source: .none)

        /// A fixed user name and password. Without TLS, anyone on the network path can read both.
        ///
        /// - Parameters:
        ///   - username: The user name; `nil` sends only the password, which needs MQTT 5.0.
        ///   - password: The password, text or bytes; `nil` sends only the user name.
        public static func password(username: String?, password: MQTTPassword?) -> Self {
            Self(source: .fixed(Login(username: username, password: password)))
        }

        /// Calls `provide` before each connection: for tokens that expire.
        ///
        /// If it throws, that connection attempt fails with the code `.authenticationFailed`.
        public static func provider(_ provide: @escaping @Sendable () async throws -> Login) -> Self {
            Self(source: .provider(provide))
        }

        /// The user name, and whether there is a password.
        public var description: String {
            switch self.source {
            case .none: "none"
            case .fixed(let login): login.description
            case .provider: "from a provider, for each connection"
            }
        }
    }

    /// A user name, a password, both or neither.
    public struct Login: Sendable, Hashable, CustomStringConvertible {
        /// The user name.
        public var username: String?
        /// The password.
        public var password: MQTTPassword?

        /// Creates a login.
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
    /// Whether the client sends no credentials and has no certificate.
    var isAnonymous: Bool {
        guard case .fixed(let login) = self.credentials.source else { return false }
        return login.username == nil && login.password == nil && self.tls.clientCertificate == nil
    }
}

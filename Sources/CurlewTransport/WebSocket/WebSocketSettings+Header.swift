import CurlewCore

extension WebSocketSettings {
    /// A header field of the request that opens a WebSocket. No description shows its value, which may be a secret.
    public struct Header: Sendable, Hashable, CustomStringConvertible {
        /// The name, such as `Authorization`.
        public var name: String
        /// The value.
        public var value: String {
            get { self.redacted.value }
            set { self.redacted.value = newValue }
        }
        private var redacted: Redacted<String>

        /// Creates a header field.
        public init(name: String, value: String) {
            self.name = name
            self.redacted = Redacted(value)
        }

        /// An `Authorization` for HTTP's basic authentication (RFC 7617). The broker's own user name and password are
        /// separate; see `credentials`.
        ///
        /// - Parameter username: It must not contain a colon: the server would take the rest for the password.
        public static func basicAuthorization(username: String, password: String) -> Self {
            Self(name: "Authorization", value: BasicAuthorization(username: username, password: password).value)
        }

        /// An `Authorization` with a bearer token (RFC 6750 section 2.1).
        public static func bearerAuthorization(_ token: String) -> Self {
            Self(name: "Authorization", value: "Bearer \(token)")
        }

        /// The name, without the value.
        public var description: String { "\(self.name): <redacted>" }
    }
}

extension WebSocketSettings.Header {
    /// Names of fields that the handshake sets itself.
    private static let reserved = ["connection", "upgrade", "content-length", "transfer-encoding"]

    /// Throws if the field cannot be sent as it is.
    func validate() throws(TransportError) {
        let name = self.name.lowercased()
        guard !name.isEmpty, name.utf8.allSatisfy(Self.isTokenCharacter) else {
            throw .invalidWebSocket(
                "'\(self.name.printable)' is not a valid name of a header field; use letters, digits and '-'")
        }
        guard !Self.reserved.contains(name), !name.hasPrefix("sec-websocket-") else {
            throw .invalidWebSocket("The header field \(self.name) is set by the client itself; leave it out")
        }
        guard self.value.utf8.allSatisfy({ $0 == 0x09 || $0 >= 0x20 && $0 != 0x7F }) else {
            throw .invalidWebSocket(
                "The value of the header field \(self.name) contains a control character; remove it")
        }
    }

    /// RFC 9110 section 5.6.2.
    private static func isTokenCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}

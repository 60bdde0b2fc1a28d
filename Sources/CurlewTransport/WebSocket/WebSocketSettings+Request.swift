import CurlewCore

extension WebSocketSettings {
    /// The HTTP request by which a client opens a WebSocket (RFC 6455 section 4.1).
    public struct Request: Sendable, CustomStringConvertible, CustomReflectable {
        /// The host that the client connects to.
        public let host: String
        /// The port that the client connects to.
        public let port: Int
        /// Whether the connection uses TLS.
        public let isSecure: Bool
        /// The path and query, percent-encoded, such as `/mqtt?token=abc`.
        public var target: String
        /// Header fields besides those of the WebSocket handshake. A field `Host` replaces the usual one.
        public var headers: [Header]

        /// The request without the query and the values of the header fields, which may be secrets.
        public var description: String {
            let fields = self.headers.isEmpty ? "" : ", with \(self.headers.map(\.name).joined(separator: ", "))"
            let server = hostInURL(self.host, port: self.port)
            return "\(self.isSecure ? "wss" : "ws")://\(server)\(self.target.prefix { $0 != "?" })\(fields)"
        }

        /// The description, for debuggers and `dump`.
        public var customMirror: Mirror { Mirror(self, children: ["description": self.description]) }

        package init(host: String, port: Int, isSecure: Bool, target: String, headers: [Header]) {
            self.host = host
            self.port = port
            self.isSecure = isSecure
            self.target = target
            self.headers = headers
        }
    }
}

extension WebSocketSettings.Request {
    /// Throws if the request cannot be sent as it is.
    func validate() throws(TransportError) {
        guard self.target.utf8.first == UInt8(ascii: "/") else {
            throw .invalidWebSocket("The path of the WebSocket must begin with a '/'")
        }
        guard self.target.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), !self.target.contains("#") else {
            throw .invalidWebSocket(
                "The path of the WebSocket contains a character that must be percent-encoded, such as a space or '#'")
        }
        for header in self.headers { try header.validate() }
    }
}

extension TransportError {
    static func invalidWebSocket(_ message: String) -> Self { Self(.invalidConfiguration, message + ".") }
}

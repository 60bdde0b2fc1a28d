import CurlewCore

/// The HTTP request by which a client opens a WebSocket (RFC 6455 section 4.1).
public struct WebSocketRequest: Sendable, CustomStringConvertible, CustomReflectable {
    /// A header field. No description shows its value, which may be a secret.
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
        public init(_ name: String, _ value: String) {
            self.name = name
            self.redacted = Redacted(value)
        }

        /// The name, without the value.
        public var description: String { "\(self.name): <redacted>" }
    }

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
        return "\(self.isSecure ? "wss" : "ws")://\(self.host):\(self.port)\(self.target.prefix { $0 != "?" })\(fields)"
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

/// Settings for connecting over WebSocket (MQTT 5.0 section 6).
public struct WebSocketSettings: Sendable {
    /// Header fields of the request, for example cookies or an `Authorization`. Default: none.
    public var headers: [WebSocketRequest.Header] = []
    /// Called before each attempt to connect, to change the request, for example to add a fresh token or a signature.
    /// If it throws, the attempt fails with that error, or with another one whose cause it is if it is no
    /// ``TransportError``, and the client tries again later. It counts towards the time limit of connecting, after which
    /// its task is cancelled. Default: none.
    public var prepareRequest: (@Sendable (inout WebSocketRequest) async throws -> Void)?
    /// The maximum size of a received frame in bytes. The connection ends with the error `connectionClosed` if a frame
    /// is larger. Default: 268,435,460, the size of the largest MQTT packet.
    public var maximumFrameSize = 268_435_460

    /// Creates settings with the defaults.
    public init() {}

    /// The subprotocol to ask for [MQTT-6.0.0-3].
    package var subprotocol = "mqtt"

    /// An `Authorization` header field for HTTP's basic authentication (RFC 7617). The broker's own user name and
    /// password are separate; see `credentials`.
    public static func basicAuthorization(username: String, password: String) -> WebSocketRequest.Header {
        WebSocketRequest.Header("Authorization", "Basic " + Base64.encode(Array("\(username):\(password)".utf8)))
    }
}

extension WebSocketRequest {
    /// Names of fields that the handshake sets itself.
    private static let reserved = ["connection", "upgrade", "content-length", "transfer-encoding"]

    /// Throws if the request cannot be sent as it is.
    func validate() throws(TransportError) {
        guard self.target.utf8.first == UInt8(ascii: "/") else {
            throw .invalidWebSocket("The path of the WebSocket must begin with a '/'")
        }
        guard self.target.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), !self.target.contains("#") else {
            throw .invalidWebSocket(
                "The path of the WebSocket contains a character that must be percent-encoded, such as a space or '#'")
        }
        for header in self.headers {
            let name = header.name.lowercased()
            guard !name.isEmpty, name.utf8.allSatisfy(Self.isTokenCharacter) else {
                throw .invalidWebSocket(
                    "'\(header.name.printable)' is not a valid name of a header field; use letters, digits and '-'")
            }
            guard !Self.reserved.contains(name), !name.hasPrefix("sec-websocket-") else {
                throw .invalidWebSocket("The header field \(header.name) is set by the client itself; leave it out")
            }
            guard header.value.utf8.allSatisfy({ $0 == 0x09 || $0 >= 0x20 && $0 != 0x7F }) else {
                throw .invalidWebSocket(
                    "The value of the header field \(header.name) contains a control character; remove it")
            }
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

extension TransportError {
    static func invalidWebSocket(_ message: String) -> Self { Self(.invalidConfiguration, message + ".") }
}

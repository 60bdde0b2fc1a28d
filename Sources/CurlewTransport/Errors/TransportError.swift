import CurlewCore

/// Why a connection could not be made, or why it broke.
public struct TransportError: Error, Sendable, CustomStringConvertible {
    /// What went wrong, for programs. More codes may be added, so a `switch` needs a `default`.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The name of the code, as in logs and metrics.
        public let rawValue: String

        private init(_ name: String) { self.rawValue = name }

        /// The name of the code.
        public var description: String { self.rawValue }

        /// The settings are not valid: a file cannot be read, a key does not match its certificate, and so on.
        public static let invalidConfiguration = Self("invalidConfiguration")
        /// Nothing listens on that port or Unix domain socket, or this user may not connect to it.
        public static let connectionRefused = Self("connectionRefused")
        /// The host name could not be resolved.
        public static let hostNotFound = Self("hostNotFound")
        /// There is no route to the host.
        public static let hostUnreachable = Self("hostUnreachable")
        /// Connecting took too long: the network, the proxy, or the handshake of TLS or WebSocket.
        public static let timedOut = Self("timedOut")
        /// Listening on the port failed.
        public static let listeningFailed = Self("listeningFailed")
        /// The process or the machine has no file descriptors or no memory left for another connection.
        public static let outOfResources = Self("outOfResources")
        /// The connecting task was cancelled.
        public static let cancelled = Self("cancelled")
        /// The connection broke.
        public static let connectionLost = Self("connectionLost")
        /// The peer's certificate has expired.
        public static let certificateExpired = Self("certificateExpired")
        /// The peer's certificate is not valid yet, or the local clock is wrong.
        public static let certificateNotYetValid = Self("certificateNotYetValid")
        /// The peer's certificate is for another host.
        public static let hostNameMismatch = Self("hostNameMismatch")
        /// The peer's certificate does not permit what TLS needs it for, or the type of its key is not supported.
        public static let certificateUnsuitable = Self("certificateUnsuitable")
        /// The peer's certificate was not issued by a trusted authority.
        public static let certificateNotTrusted = Self("certificateNotTrusted")
        /// The peer's certificate, or one that it depends on, was revoked by its issuer.
        public static let certificateRevoked = Self("certificateRevoked")
        /// It cannot be determined whether the peer's certificate was revoked: the revocation list of its issuer is
        /// missing, outdated or not valid.
        public static let revocationUnknown = Self("revocationUnknown")
        /// The peer requires a client certificate, and none is configured.
        public static let clientCertificateRequired = Self("clientCertificateRequired")
        /// The client certificate has expired. The client sends nothing; it connects once the file is renewed.
        public static let clientCertificateExpired = Self("clientCertificateExpired")
        /// The client certificate is not valid yet, or the local clock is wrong. The client sends nothing.
        public static let clientCertificateNotYetValid = Self("clientCertificateNotYetValid")
        /// The peer rejected the client certificate.
        public static let clientCertificateRejected = Self("clientCertificateRejected")
        /// Client and peer have no TLS version in common.
        public static let tlsVersionMismatch = Self("tlsVersionMismatch")
        /// The peer rejected the pre-shared key.
        public static let preSharedKeyRejected = Self("preSharedKeyRejected")
        /// The peer does not use TLS on that port.
        public static let notTLS = Self("notTLS")
        /// The proxy cannot be reached, refused to connect, or does not speak the configured protocol.
        public static let proxyFailed = Self("proxyFailed")
        /// The peer is not a WebSocket server for MQTT.
        public static let notWebSocket = Self("notWebSocket")
        /// The server answered the WebSocket handshake with another HTTP status, which the message contains.
        public static let webSocketRefused = Self("webSocketRefused")
        /// The server did not open a WebSocket for this client: HTTP 401 or 403.
        public static let webSocketUnauthorized = Self("webSocketUnauthorized")
        /// TLS failed for another reason.
        public static let tlsFailed = Self("tlsFailed")
    }

    /// The kind of failure, for programs.
    public let code: Code

    /// One sentence for people: what went wrong and what to do. Contains no secrets.
    public let message: String

    /// The underlying error, if there is one.
    public let cause: (any Error)?

    /// The message with placeholders for the names of TLS settings, if it mentions any.
    private let sentence: TLSSentence?

    /// Creates an error.
    ///
    /// - Parameters:
    ///   - code: What went wrong, for programs.
    ///   - message: The same for people, in one sentence, without secrets.
    ///   - cause: The underlying error, if any.
    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message.endingOnce
        self.cause = cause
        self.sentence = nil
    }

    /// Creates an error about TLS settings. The message uses their names in the library.
    init(_ code: Code, sentence: TLSSentence, cause: (any Error)? = nil) {
        self.code = code
        self.message = sentence.text(naming: \.libraryName)
        self.cause = cause
        self.sentence = sentence
    }

    /// The message, with the names of TLS settings that `name` returns.
    package func message(naming name: (TLSSetting) -> String) -> String {
        self.sentence?.text(naming: name) ?? self.message
    }

    /// The message.
    public var description: String { self.message }
}

import CurlewCore

/// Why a connection could not be made, or broke.
public struct TransportError: Error, Sendable, CustomStringConvertible {
    /// What went wrong, for programs. More codes may be added, so a `switch` needs a `default`.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The name of the code, as in logs and metrics.
        public let rawValue: String

        private init(_ name: String) { self.rawValue = name }

        /// The name of the code.
        public var description: String { self.rawValue }

        /// The settings cannot work: a file that cannot be read, a key that does not match its certificate, and so on.
        public static let invalidConfiguration = Self("invalidConfiguration")
        /// Nobody listens at that port.
        public static let connectionRefused = Self("connectionRefused")
        /// The host name has no address.
        public static let hostNotFound = Self("hostNotFound")
        /// There is no way through the network to the host.
        public static let hostUnreachable = Self("hostUnreachable")
        /// The connection, TLS included, was not made in time.
        public static let timedOut = Self("timedOut")
        /// The port could not be listened on.
        public static let listeningFailed = Self("listeningFailed")
        /// The process or the machine has no file descriptors or no memory left for another connection.
        public static let outOfResources = Self("outOfResources")
        /// The task that was connecting was cancelled.
        public static let cancelled = Self("cancelled")
        /// The connection broke.
        public static let connectionLost = Self("connectionLost")
        /// The peer's certificate is no longer valid.
        public static let certificateExpired = Self("certificateExpired")
        /// The peer's certificate is not valid yet; or the local clock is wrong.
        public static let certificateNotYetValid = Self("certificateNotYetValid")
        /// The peer's certificate is for another host.
        public static let hostNameMismatch = Self("hostNameMismatch")
        /// The peer's certificate does not permit what TLS needs it for, or its key is of a kind that is not supported.
        public static let certificateUnsuitable = Self("certificateUnsuitable")
        /// The peer's certificate does not lead to a trusted authority.
        public static let certificateNotTrusted = Self("certificateNotTrusted")
        /// The peer wants a client certificate, and there was none.
        public static let clientCertificateRequired = Self("clientCertificateRequired")
        /// The peer did not accept our client certificate.
        public static let clientCertificateRejected = Self("clientCertificateRejected")
        /// The two ends have no TLS version in common.
        public static let tlsVersionMismatch = Self("tlsVersionMismatch")
        /// The peer did not accept the pre-shared key.
        public static let preSharedKeyRejected = Self("preSharedKeyRejected")
        /// The peer does not speak TLS at that port.
        public static let notTLS = Self("notTLS")
        /// TLS failed in another way.
        public static let tlsFailed = Self("tlsFailed")
    }

    /// What went wrong, for programs.
    public let code: Code

    /// What went wrong and what to do about it, in one sentence for people. Holds no secrets.
    public let message: String

    /// The error underneath, if there was one.
    public let cause: (any Error)?

    /// The message without the names of the settings it is about, if it is about any.
    private let sentence: TLSSentence?

    /// Makes an error.
    ///
    /// - Parameters:
    ///   - code: What went wrong, for programs.
    ///   - message: The same for people, in one sentence, without secrets.
    ///   - cause: The error underneath, if there was one.
    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message.endingOnce
        self.cause = cause
        self.sentence = nil
    }

    /// Makes an error about settings of TLS, called in the message as in the library.
    init(_ code: Code, sentence: TLSSentence, cause: (any Error)? = nil) {
        self.code = code
        self.message = sentence.text(naming: \.libraryName)
        self.cause = cause
        self.sentence = sentence
    }

    /// The message, with the settings of TLS called as `name` says.
    package func message(naming name: (TLSSetting) -> String) -> String {
        self.sentence?.text(naming: name) ?? self.message
    }

    /// The message.
    public var description: String { self.message }
}

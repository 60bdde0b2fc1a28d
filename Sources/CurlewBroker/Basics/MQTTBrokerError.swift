public import CurlewCore
package import CurlewTransport

/// The error that the broker's functions throw.
public struct MQTTBrokerError: Error, Sendable, CustomStringConvertible {
    /// What went wrong, for programs. More codes may be added, so a `switch` needs a `default`.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The name of the code, as in logs and metrics.
        public let rawValue: String

        private init(_ name: String) { self.rawValue = name }

        /// The name of the code.
        public var description: String { self.rawValue }

        /// The configuration is invalid, or a file that it names cannot be read or understood.
        public static let invalidConfiguration = Self("invalidConfiguration")
        /// The broker could not listen on an address.
        public static let listeningFailed = Self("listeningFailed")
        /// The broker is not running: not yet, or no longer.
        public static let notRunning = Self("notRunning")
        /// A topic name or topic filter is not well-formed (MQTT 5.0 section 4.7).
        public static let invalidTopic = Self("invalidTopic")
        /// An argument is invalid.
        public static let invalidArgument = Self("invalidArgument")
        /// A publish filter refused the message; see ``MQTTBrokerError/reasonCode``.
        public static let publishRefused = Self("publishRefused")
        /// The storage could not be read or written.
        public static let storageFailed = Self("storageFailed")
    }

    /// What went wrong, for programs.
    public var code: Code
    /// The reason code of a publish filter, if one refused the message.
    public var reasonCode: ReasonCode?
    /// What went wrong and what to do about it, in one sentence for people. Contains no secrets.
    public var message: String { didSet { self.parts = [.text(self.message)] } }
    /// The underlying error, if any.
    public var cause: (any Error)?
    /// What the message consists of, where it is about listeners.
    private var parts: [Sentence]

    /// A sentence of the message.
    enum Sentence: Sendable {
        case text(String)
        /// What is wrong with a listener, by its index in the configuration.
        case listener(Int, TransportError)

        var listener: Int? { if case .listener(let index, _) = self { index } else { nil } }
    }

    /// Creates an error.
    ///
    /// - Parameters:
    ///   - code: What went wrong, for programs.
    ///   - message: The same for people, in one sentence, without secrets.
    ///   - reasonCode: The reason code of a publish filter. Default: `nil`.
    ///   - cause: The underlying error. Default: `nil`.
    public init(_ code: Code, _ message: String, reasonCode: ReasonCode? = nil, cause: (any Error)? = nil) {
        self.code = code
        self.reasonCode = reasonCode
        self.message = message.endingOnce
        self.cause = cause
        self.parts = [.text(message)]
    }

    init(_ code: Code, _ parts: [Sentence], cause: any Error) {
        self.code = code
        self.parts = parts
        self.cause = cause
        self.message = Self.text(of: parts) { $1.message }
    }

    /// An error that the broker has thrown: its public functions throw nothing else.
    package init(of error: any Error) {
        self = error as? MQTTBrokerError ?? MQTTBrokerError(.notRunning, "The broker is not running.", cause: error)
    }

    /// The message, with the settings of TLS called as `name` says, which is given the index of the listener.
    package func message(naming name: (_ listener: Int, TLSSetting) -> String) -> String {
        Self.text(of: self.parts) { index, error in error.message(naming: { name(index, $0) }) }
    }

    private static func text(of parts: [Sentence], listener: (Int, TransportError) -> String) -> String {
        parts.map { part in
            switch part {
            case .text(let text): text
            case .listener(let index, let error): listener(index, error)
            }
        }.joined(separator: " ")
    }

    /// The message, then the reason code by name and byte.
    public var description: String {
        self.reasonCode.map { "\(self.message) Reason code: \($0)." } ?? self.message
    }
}

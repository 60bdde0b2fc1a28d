import CurlewCore
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
        /// A message or a subscription is invalid, for example because its topic is not well-formed.
        public static let invalidArgument = Self("invalidArgument")
        /// The storage could not be read or written.
        public static let storageFailed = Self("storageFailed")
    }

    /// What went wrong, for programs.
    public let code: Code
    /// What went wrong and what to do about it, in one sentence for people. Holds no secrets.
    public let message: String
    /// The error underneath, if there was one.
    public let cause: (any Error)?
    /// What the message consists of, where it is about listeners.
    private let parts: [Sentence]

    /// A sentence of the message.
    enum Sentence: Sendable {
        case text(String)
        /// What is wrong with a listener, by its index in the configuration.
        case listener(Int, TransportError)

        var listener: Int? { if case .listener(let index, _) = self { index } else { nil } }
    }

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

    /// The message.
    public var description: String { self.message }
}

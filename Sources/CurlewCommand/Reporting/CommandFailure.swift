#if Tools
import Curlew
import CurlewCore
import CurlewTransport

/// Why the command fails: a sentence for people, and an exit code for scripts.
struct CommandFailure: Error, Equatable, CustomStringConvertible {
    /// `nil` if the person knows the reason, as after Ctrl-C.
    var message: String?
    var exitCode: Int32

    var description: String { self.message ?? "it was stopped" }

    /// The exit code of failures without a specific one.
    static let general: Int32 = 1
    /// The exit code when the connection is lost and does not come back: mosquitto's MOSQ_ERR_CONN_LOST.
    static let connectionLost: Int32 = 7
    /// The exit code of a timeout: mosquitto's MOSQ_ERR_TIMEOUT.
    static let timeOut: Int32 = 27

    init(_ message: String?, exitCode: Int32 = general) {
        self.message = message?.endingOnce
        self.exitCode = exitCode
    }

    /// The library's error, with the exit code that mosquitto's commands use for it.
    ///
    /// - Parameter version: The version that the user asked for, in case the error does not contain one. Before 5.0,
    ///   refusals have different codes.
    init(_ error: MQTTError, version: ProtocolVersion? = nil) {
        let version = error.version ?? version
        let exitCode: Int32
        switch error.code {
        case .connectionRefused:
            let code = error.reasonCode ?? .unspecifiedError
            exitCode = Int32(version.map { $0 < .v5_0 } == true ? code.connectReturnCode : code.rawValue)
        case .timedOut: exitCode = Self.timeOut
        case .connectionFailed where (error.cause as? TransportError)?.code == .timedOut: exitCode = Self.timeOut
        case .connectionClosed, .disconnectedByServer, .sessionTakenOver: exitCode = Self.connectionLost
        default: exitCode = Self.general
        }
        self.init(error.sentence, exitCode: exitCode)
    }
}

extension MQTTError {
    /// The message, with the library's API names replaced by options and environment variables.
    private var inWordsOfCommand: String {
        if let cause = self.cause as? TransportError, self.message == cause.message.printable {
            return cause.message(naming: TLSSettingNames.ofProcess.name).printable
        }
        var text = self.message
        for (words, own) in Self.words { text = text.replacing(words, with: own) }
        return text
    }

    /// Phrases of the library, and their equivalents at the command line.
    private static let words = [
        ("it wants a user name and a password", "give a user name (-u) and a password (-P or --password-file)"),
        ("check user name and password", "check the user name (-u) and the password (-P or --password-file)"),
        ("publish without `retain`", "leave out -r"),
        ("name the topic with `responseTopic`", "name the topic with -e"),
        ("give a user name, which may be empty, or use a later version", "give one with -u, which may be ''"),
        ("use .assignedByServer to let the server choose one", "use -i '' to let the broker choose one"),
    ]

    /// Message, reason code and delivery status, as one sentence.
    var sentence: String {
        var text = self.inWordsOfCommand
        while text.hasSuffix(".") { text.removeLast() }
        if let reasonCode { text += " [\(reasonCode)]" }
        switch self.delivery {
        case .notSent where self.code != .publishRefused: text += "; the message was not sent"
        case .unknown: text += "; whether the message was delivered is unknown"
        default: break
        }
        return text.hasSuffix("?") ? text : text + "."
    }
}

extension String {
    /// The text with a full stop, unless it ends with a punctuation mark.
    var asSentence: String { self.last.map { ".!?".contains($0) } == true ? self : self + "." }
}
#endif

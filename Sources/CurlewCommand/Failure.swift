#if Tools
    import Curlew
    import CurlewCore

    /// Why the command ends otherwise than well: one sentence for the person, one number for the script.
    struct Failure: Error, Equatable {
        /// `nil` when there is nothing to say that the person does not know.
        var message: String?
        var exitCode: Int32

        /// The exit code of everything that has none of its own.
        static let general: Int32 = 1
        /// The exit code of a time that is over: MOSQ_ERR_TIMEOUT of mosquitto's commands.
        static let timeOut: Int32 = 27

        init(_ message: String?, exitCode: Int32 = Failure.general) {
            self.message = message
            self.exitCode = exitCode
        }

        /// What the library says, and the exit code of mosquitto's commands for it.
        ///
        /// - Parameter version: The version that the user asked for. Before 5.0 a refusal has other numbers.
        init(_ error: MQTTError, version: ProtocolVersion? = nil) {
            let exitCode: Int32
            switch error.code {
            case .connectionRefused:
                let code = error.reasonCode ?? .unspecifiedError
                exitCode = Int32(version.map { $0 < .v5_0 } == true ? code.connectReturnCode : code.rawValue)
            case .timedOut: exitCode = Self.timeOut
            default: exitCode = Self.general
            }
            self.init(error.sentence, exitCode: exitCode)
        }
    }

    extension MQTTError {
        /// Message, reason code and what became of the message, in one sentence.
        var sentence: String {
            var text = self.message
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
#endif

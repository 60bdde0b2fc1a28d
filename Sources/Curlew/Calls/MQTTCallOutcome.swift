/// How a call ended. Exactly one of these happens to each call.
public enum MQTTCallOutcome<Answer: Sendable>: Sendable {
    /// The device answered with this result.
    case answered(Answer)
    /// The device answered with an error.
    case deviceError(MQTTDeviceError)
    /// The broker has the request, but nobody has subscribed to its topic: the device is off, or has another name or
    /// dialect. Only brokers of MQTT 5.0 report it.
    case noResponder
    /// The request was sent, and no answer arrived in time.
    case timedOut
    /// The caller's task was cancelled, or the client was disconnected, before an answer arrived.
    case cancelled(MQTTError)
    /// The request was not sent, and the device did nothing. The error says why.
    case notSent(MQTTError)
    /// The device answered with something that is not of the expected form.
    case badReply(MQTTError)
}

extension MQTTCallOutcome: CustomStringConvertible {
    /// The kind of outcome, and the reason.
    public var description: String {
        switch self {
        case .answered(let answer): "answered: \(answer)"
        case .deviceError(let error): "device error: \(error)"
        case .noResponder: "no responder"
        case .timedOut: "timed out"
        case .cancelled: "cancelled"
        case .notSent(let error): "not sent: \(error.message)"
        case .badReply(let error): "bad reply: \(error.message)"
        }
    }
}

/// How a call to one of several devices ended.
public struct MQTTCallResult<Answer: Sendable>: Sendable {
    /// The device.
    public let device: String
    /// The method.
    public let method: String
    /// How the call ended.
    public let outcome: MQTTCallOutcome<Answer>
    /// The time from the beginning of the call to its end.
    public let duration: Duration
    /// The message with the answer; `nil` if none arrived.
    public let reply: MQTTMessage?

    /// Returns the answer, or throws why there is none.
    ///
    /// - Throws: ``MQTTError``, as `call` of ``MQTTDevice`` does.
    public func get() throws(MQTTError) -> Answer {
        switch self.outcome {
        case .answered(let answer): return answer
        case .deviceError(let error): throw .deviceError(error, self.device, self.method)
        case .noResponder: throw .noResponder(self.device, self.method)
        case .timedOut: throw .noAnswer(self.device, self.method, within: self.duration)
        case .cancelled(let error), .notSent(let error), .badReply(let error): throw error
        }
    }
}

extension MQTTError {
    static func deviceError(_ error: MQTTDeviceError, _ device: String, _ method: String) -> Self {
        var wrapped = Self(.requestFailed, "\(device) answered \(method) with an error: \(error)")
        wrapped.cause = error
        return wrapped
    }

    static func noResponder(_ device: String, _ method: String) -> Self {
        Self(
            .noMatchingSubscribers, "\(device) did not get the call of \(method), because nobody has subscribed to it.",
            reasonCode: .noMatchingSubscribers)
    }

    static func noAnswer(_ device: String, _ method: String, within limit: Duration) -> Self {
        Self(.timedOut, "\(device) did not answer \(method) within \(limit).", delivery: .unknown)
    }

    /// The error that a device answered to a call; `nil` if this is another error.
    public var deviceError: MQTTDeviceError? { self.cause as? MQTTDeviceError }
}

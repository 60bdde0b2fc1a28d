public import CurlewCore

/// Why an operation of the client failed.
///
/// Switch on ``code``; show ``message`` (or the whole ``description``) to a person. Neither ever holds a password, a key or a
/// payload.
///
/// ```swift
/// do {
///     try await client.publish("on", to: "home/lamp", qos: .atLeastOnce)
/// } catch let error as MQTTError where error.delivery == .notSent {
///     // Safe to publish again: no server has seen it.
/// }
/// ```
public struct MQTTError: Error, Sendable {
    /// What kind of failure it is.
    public var code: Code
    /// What the server answered, if the failure is an answer of the server (MQTT 5.0 section 2.4).
    public var reasonCode: ReasonCode?
    /// One sentence that says what is wrong and, where something can be done about it, what. What a server wrote may be part of
    /// it, made harmless for logs and terminals.
    public var message: String
    /// The error beneath this one, if there is one.
    public var cause: (any Error)?
    /// What became of the message; present only where a publish failed.
    public var delivery: DeliveryStatus?
    /// The version of a CONNECT that was refused: before 5.0 the server's answer was another number than ``reasonCode``.
    package var version: ProtocolVersion?

    /// Makes an error.
    ///
    /// - Parameters:
    ///   - code: What kind of failure it is.
    ///   - message: One sentence for a person, without secrets.
    ///   - reasonCode: What the server answered, if it did. Default: `nil`.
    ///   - delivery: What became of the message that was to be published. Default: `nil`, for everything but a publish.
    ///   - cause: The error beneath this one. Default: `nil`.
    public init(
        _ code: Code, _ message: String, reasonCode: ReasonCode? = nil, delivery: DeliveryStatus? = nil,
        cause: (any Error)? = nil
    ) {
        self.code = code
        self.message = message.printable.endingOnce
        self.reasonCode = reasonCode
        self.delivery = delivery
        self.cause = cause
    }

    /// An error that the client has thrown: its public functions throw nothing else.
    package init(of error: any Error) {
        self = error as? MQTTError ?? MQTTError(.cancelled, "The task was cancelled.", cause: error)
    }

    /// The same error, with what became of the message.
    package func with(delivery: DeliveryStatus) -> Self {
        var copy = self
        copy.delivery = delivery
        return copy
    }

    /// What became of a message whose publishing failed.
    public enum DeliveryStatus: Sendable, Hashable {
        /// No byte of it left: publishing it again cannot make a second copy.
        case notSent
        /// It left, or may have left, and nobody said what became of it: publishing it again may make a second copy.
        case unknown
    }
}

extension MQTTError: CustomStringConvertible {
    /// The message, then the reason code by name and byte, then what became of the message.
    public var description: String {
        var text = self.message
        if let reasonCode = self.reasonCode { text += " Reason code: \(reasonCode)." }
        switch self.delivery {
        case .notSent: text += " The message was not sent."
        case .unknown: text += " Whether the message was delivered is unknown."
        case nil: break
        }
        return text
    }
}

// MARK: - Codes

extension MQTTError {
    /// What kind of failure an error is. More may come; a `switch` over it needs a `default`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// The name of the code, as it stands in logs and metrics.
        public let rawValue: String

        /// The name of the code.
        public var description: String { self.rawValue }

        /// A value of the configuration, or two of them together, cannot work. Nothing was sent.
        public static let invalidConfiguration = Self(rawValue: "invalidConfiguration")
        /// The URL cannot be read. Nothing was sent.
        public static let invalidURL = Self(rawValue: "invalidURL")
        /// The topic name or topic filter breaks the rules of section 4.7 of the standard. Nothing was sent.
        public static let invalidTopic = Self(rawValue: "invalidTopic")
        /// An argument of the call cannot work. Nothing was sent.
        public static let invalidArgument = Self(rawValue: "invalidArgument")
        /// The protocol version of the connection has no such thing. Nothing was sent.
        public static let notSupportedByProtocolVersion = Self(rawValue: "notSupportedByProtocolVersion")
        /// The server said in CONNACK that it does not offer this. Nothing was sent.
        public static let notSupportedByServer = Self(rawValue: "notSupportedByServer")
        /// The packet would exceed the server's Maximum Packet Size, and nothing was sent; or a message from the server exceeds
        /// `session.maximumPacketSize` and was left out.
        public static let packetTooLarge = Self(rawValue: "packetTooLarge")
        /// No connection came about: name resolution, the network or TLS failed; see ``MQTTError/cause``.
        public static let connectionFailed = Self(rawValue: "connectionFailed")
        /// The server answered CONNECT with a refusal; see ``MQTTError/reasonCode``.
        public static let connectionRefused = Self(rawValue: "connectionRefused")
        /// The connection broke, and the operation cannot outlive it.
        public static let connectionClosed = Self(rawValue: "connectionClosed")
        /// The server sent DISCONNECT; see ``MQTTError/reasonCode``.
        public static let disconnectedByServer = Self(rawValue: "disconnectedByServer")
        /// Another client connected with the same client identifier, and the server closed this connection for it.
        public static let sessionTakenOver = Self(rawValue: "sessionTakenOver")
        /// The server lost the session in the middle of an exchange at QoS 2, and nobody can tell how it would have ended.
        public static let sessionLost = Self(rawValue: "sessionLost")
        /// The server sent bytes that break the protocol.
        public static let protocolViolation = Self(rawValue: "protocolViolation")
        /// The time allowed for the operation passed.
        public static let timedOut = Self(rawValue: "timedOut")
        /// The task that waited was cancelled.
        public static let cancelled = Self(rawValue: "cancelled")
        /// `connect()` has not been called, or has failed: there is nothing that could be waited for.
        public static let notConnected = Self(rawValue: "notConnected")
        /// Several connections in a row ended while the server had this packet to answer, and one without it did not. It is not
        /// sent again.
        public static let brokeConnections = Self(rawValue: "brokeConnections")
        /// The server acknowledged the publish with a failure.
        public static let publishRefused = Self(rawValue: "publishRefused")
        /// The server refused the subscription.
        public static let subscriptionRefused = Self(rawValue: "subscriptionRefused")
        /// The server refused to end the subscription.
        public static let unsubscribeRefused = Self(rawValue: "unsubscribeRefused")
        /// The server took the message, and nobody has subscribed to its topic.
        public static let noMatchingSubscribers = Self(rawValue: "noMatchingSubscribers")
        /// An outgoing queue is full; nothing was sent.
        public static let queueFull = Self(rawValue: "queueFull")
        /// The queue of a subscription ran over, and its policy is to fail.
        public static let queueOverflow = Self(rawValue: "queueOverflow")
        /// The client was disconnected or shut down, and does nothing more.
        public static let clientStopped = Self(rawValue: "clientStopped")
        /// The responder answered the request with an error.
        public static let requestFailed = Self(rawValue: "requestFailed")
        /// The exchange of enhanced authentication failed, or the credentials could not be provided.
        public static let authenticationFailed = Self(rawValue: "authenticationFailed")
        /// A payload could not be decoded to the type asked for; see ``MQTTError/cause``.
        public static let decodingFailed = Self(rawValue: "decodingFailed")
    }
}

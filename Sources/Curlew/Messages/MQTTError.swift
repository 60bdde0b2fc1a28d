public import CurlewCore

/// Why an operation of the client failed.
///
/// Switch on ``code``; show ``message`` (or the whole ``description``) to a person. Neither ever contains a password, a
/// key or a payload.
///
/// ```swift
/// do {
///     try await client.publish("on", to: "home/lamp", qos: .atLeastOnce)
/// } catch let error as MQTTError where error.delivery == .notSent {
///     // Safe to publish again: no broker has received it.
/// }
/// ```
public struct MQTTError: Error, Sendable {
    /// The kind of failure.
    public var code: Code
    /// The broker's reason code, if the failure is its answer (MQTT 5.0 section 2.4).
    public var reasonCode: ReasonCode?
    /// One sentence that says what is wrong and, if possible, what to do. It may contain text from the broker, made
    /// safe for logs and terminals.
    public var message: String
    /// The underlying error, if there is one.
    public var cause: (any Error)?
    /// Whether the message was sent; only present if a publish failed.
    public var delivery: DeliveryStatus?
    /// The messages that had arrived when a call failed that collects several; otherwise empty.
    public var messages: [MQTTMessage] = []
    /// The version of a CONNECT that was refused: before 5.0, the CONNACK code is a different number than
    /// ``reasonCode``.
    package var version: ProtocolVersion?

    /// Creates an error.
    ///
    /// - Parameters:
    ///   - code: The kind of failure.
    ///   - message: One sentence for a person, without secrets.
    ///   - reasonCode: The broker's reason code, if it sent one. Default: `nil`.
    ///   - delivery: Whether the message was sent. Default: `nil`, for everything except a publish.
    ///   - cause: The underlying error. Default: `nil`.
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

    /// Converts an error that the client threw. Its public functions throw only ``MQTTError``; anything else is a
    /// cancellation.
    package init(of error: any Error) {
        self = error as? MQTTError ?? MQTTError(.cancelled, "The task was cancelled.", cause: error)
    }

    /// A copy of the error with a delivery status.
    package func with(delivery: DeliveryStatus) -> Self {
        var copy = self
        copy.delivery = delivery
        return copy
    }

    /// Whether a message was sent although its publish failed.
    public enum DeliveryStatus: Sendable, Hashable {
        /// It was not sent, or the broker refused it: publishing it again cannot create a duplicate.
        case notSent
        /// It was or may have been sent, but the broker has not confirmed it: publishing it again may create a
        /// duplicate.
        case unknown
    }
}

extension MQTTError: CustomStringConvertible {
    /// The message, then the reason code by name and byte, then the delivery status.
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
    /// The kind of failure. More may be added, so a `switch` needs a `default`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// The name of the code, as in logs and metrics.
        public let rawValue: String

        /// The name of the code.
        public var description: String { self.rawValue }

        /// A configuration value, or a combination of values, is not possible. Nothing was sent.
        public static let invalidConfiguration = Self(rawValue: "invalidConfiguration")
        /// The URL is not valid. Nothing was sent.
        public static let invalidURL = Self(rawValue: "invalidURL")
        /// The topic name or topic filter violates section 4.7 of the standard. Nothing was sent.
        public static let invalidTopic = Self(rawValue: "invalidTopic")
        /// An argument of the call is not valid. Nothing was sent.
        public static let invalidArgument = Self(rawValue: "invalidArgument")
        /// The protocol version of the connection does not support this. Nothing was sent.
        public static let notSupportedByProtocolVersion = Self(rawValue: "notSupportedByProtocolVersion")
        /// The broker announced in CONNACK that it does not support this. Nothing was sent.
        public static let notSupportedByServer = Self(rawValue: "notSupportedByServer")
        /// The packet exceeds the broker's Maximum Packet Size, and nothing was sent; or a received message exceeds
        /// `session.maximumPacketSize`, or has more than 1,024 properties, and was skipped.
        public static let packetTooLarge = Self(rawValue: "packetTooLarge")
        /// No connection could be made: name resolution, the network or TLS failed; see ``MQTTError/cause``.
        public static let connectionFailed = Self(rawValue: "connectionFailed")
        /// The broker refused the CONNECT; see ``MQTTError/reasonCode``.
        public static let connectionRefused = Self(rawValue: "connectionRefused")
        /// The connection broke, and the operation cannot continue on another one.
        public static let connectionClosed = Self(rawValue: "connectionClosed")
        /// The broker sent DISCONNECT; see ``MQTTError/reasonCode``.
        public static let disconnectedByServer = Self(rawValue: "disconnectedByServer")
        /// Another client connected with the same client identifier, so the broker closed this connection.
        public static let sessionTakenOver = Self(rawValue: "sessionTakenOver")
        /// The broker lost the session during a QoS 2 exchange, so its outcome is unknown.
        public static let sessionLost = Self(rawValue: "sessionLost")
        /// The broker violated the protocol.
        public static let protocolViolation = Self(rawValue: "protocolViolation")
        /// The operation did not finish within its time limit.
        public static let timedOut = Self(rawValue: "timedOut")
        /// A blocking call was made by a task or on an event loop, whose threads must not block. Nothing was sent.
        public static let mustNotBlock = Self(rawValue: "mustNotBlock")
        /// The waiting task was cancelled.
        public static let cancelled = Self(rawValue: "cancelled")
        /// `connect()` has not been called or has failed, so there is no connection to wait for.
        public static let notConnected = Self(rawValue: "notConnected")
        /// Several connections in a row ended while this packet was unanswered, and one without it did not end. The
        /// client does not send it again.
        public static let packetAbandoned = Self(rawValue: "packetAbandoned")
        /// The broker acknowledged the publish with a failure.
        public static let publishRefused = Self(rawValue: "publishRefused")
        /// The broker refused the subscription.
        public static let subscriptionRefused = Self(rawValue: "subscriptionRefused")
        /// The broker refused to end the subscription.
        public static let unsubscribeRefused = Self(rawValue: "unsubscribeRefused")
        /// The broker accepted the message, but nobody has subscribed to its topic.
        public static let noMatchingSubscribers = Self(rawValue: "noMatchingSubscribers")
        /// An outgoing queue is full; nothing was sent.
        public static let queueFull = Self(rawValue: "queueFull")
        /// The queue of a subscription overflowed, and its policy is `fail`.
        public static let queueOverflow = Self(rawValue: "queueOverflow")
        /// The client was disconnected or stopped, and accepts no more calls.
        public static let clientStopped = Self(rawValue: "clientStopped")
        /// The responder answered the request with an error.
        public static let requestFailed = Self(rawValue: "requestFailed")
        /// Enhanced authentication failed, or the credentials could not be provided.
        public static let authenticationFailed = Self(rawValue: "authenticationFailed")
        /// A payload could not be decoded as the requested type; see ``MQTTError/cause``.
        public static let decodingFailed = Self(rawValue: "decodingFailed")
    }
}

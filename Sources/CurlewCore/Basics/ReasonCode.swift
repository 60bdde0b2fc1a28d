/// The result of an operation, which a peer reports in one byte (MQTT 5.0 section 2.4).
///
/// The same byte means different things in different packets (0x00 is *Success* in a PUBACK, *Normal disconnection*
/// in a DISCONNECT, *Granted QoS 0* in a SUBACK); each meaning has its own name here. The return codes of MQTT 3.1
/// and 3.1.1 are decoded as these.
public struct ReasonCode: RawRepresentable, Sendable, Hashable {
    /// The byte on the wire. 0x80 and above is a failure.
    public let rawValue: UInt8

    /// Creates a reason code from its byte, even if the standard does not define it.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Whether the operation failed: the byte is 0x80 or above.
    public var isFailure: Bool { self.rawValue >= 0x80 }

    /// Success: the operation was completed. CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, UNSUBACK, AUTH.
    public static let success = Self(rawValue: 0x00)
    /// Normal disconnection: the will is not published. DISCONNECT.
    public static let normalDisconnection = Self(rawValue: 0x00)
    /// Granted QoS 0: subscribed, with messages at QoS 0. SUBACK.
    public static let grantedQoS0 = Self(rawValue: 0x00)
    /// Granted QoS 1: subscribed, with messages at QoS 1 or below. SUBACK.
    public static let grantedQoS1 = Self(rawValue: 0x01)
    /// Granted QoS 2: subscribed, with messages at the QoS of their publishers. SUBACK.
    public static let grantedQoS2 = Self(rawValue: 0x02)
    /// Disconnect with will message: the client disconnects, and the server publishes its will. DISCONNECT.
    public static let disconnectWithWillMessage = Self(rawValue: 0x04)
    /// No matching subscribers: the message was accepted, but has no receiver. PUBACK, PUBREC.
    public static let noMatchingSubscribers = Self(rawValue: 0x10)
    /// No subscription existed: there was nothing to unsubscribe from. UNSUBACK.
    public static let noSubscriptionExisted = Self(rawValue: 0x11)
    /// Continue authentication: the next step of an enhanced authentication. AUTH.
    public static let continueAuthentication = Self(rawValue: 0x18)
    /// Re-authenticate: the client starts another authentication on an open connection. AUTH.
    public static let reauthenticate = Self(rawValue: 0x19)
    /// Unspecified error: the peer gives no reason, or no other code fits. A failure in a SUBACK of 3.1.1 is always
    /// this one.
    public static let unspecifiedError = Self(rawValue: 0x80)
    /// Malformed packet: the bytes do not conform to the standard. CONNACK, DISCONNECT.
    public static let malformedPacket = Self(rawValue: 0x81)
    /// Protocol error: a packet that is out of place, or has content that is not permitted. CONNACK, DISCONNECT.
    public static let protocolError = Self(rawValue: 0x82)
    /// Implementation specific error: valid, but not accepted by this peer.
    public static let implementationSpecificError = Self(rawValue: 0x83)
    /// Unsupported protocol version: the server does not support the requested version. CONNACK.
    public static let unsupportedProtocolVersion = Self(rawValue: 0x84)
    /// Client identifier not valid: the server does not allow it. CONNACK.
    public static let clientIdentifierNotValid = Self(rawValue: 0x85)
    /// Bad user name or password: the server does not accept them. CONNACK.
    public static let badUserNameOrPassword = Self(rawValue: 0x86)
    /// Not authorized: the peer is known, but does not have this permission.
    public static let notAuthorized = Self(rawValue: 0x87)
    /// Server unavailable: the server is temporarily out of service. CONNACK.
    public static let serverUnavailable = Self(rawValue: 0x88)
    /// Server busy: try again later. CONNACK, DISCONNECT.
    public static let serverBusy = Self(rawValue: 0x89)
    /// Banned: an administrator has blocked this client. CONNACK.
    public static let banned = Self(rawValue: 0x8A)
    /// Server shutting down. DISCONNECT.
    public static let serverShuttingDown = Self(rawValue: 0x8B)
    /// Bad authentication method: not supported, or not the one in use. CONNACK, DISCONNECT.
    public static let badAuthenticationMethod = Self(rawValue: 0x8C)
    /// Keep alive timeout: nothing was received for one and a half times the keep alive. DISCONNECT.
    public static let keepAliveTimeout = Self(rawValue: 0x8D)
    /// Session taken over: another connection uses the same client identifier. DISCONNECT.
    public static let sessionTakenOver = Self(rawValue: 0x8E)
    /// Topic filter invalid: well-formed, but not accepted. SUBACK, UNSUBACK, DISCONNECT.
    public static let topicFilterInvalid = Self(rawValue: 0x8F)
    /// Topic name invalid: well-formed, but not accepted. CONNACK, PUBACK, PUBREC, DISCONNECT.
    public static let topicNameInvalid = Self(rawValue: 0x90)
    /// Packet identifier in use: the two ends disagree about the session. PUBACK, PUBREC, SUBACK, UNSUBACK.
    public static let packetIdentifierInUse = Self(rawValue: 0x91)
    /// Packet identifier not found: not an error while a session is resumed. PUBREL, PUBCOMP.
    public static let packetIdentifierNotFound = Self(rawValue: 0x92)
    /// Receive maximum exceeded: more messages were in flight than allowed. DISCONNECT.
    public static let receiveMaximumExceeded = Self(rawValue: 0x93)
    /// Topic alias invalid: 0, above the maximum, or never introduced. DISCONNECT.
    public static let topicAliasInvalid = Self(rawValue: 0x94)
    /// Packet too large: larger than the maximum packet size. CONNACK, DISCONNECT.
    public static let packetTooLarge = Self(rawValue: 0x95)
    /// Message rate too high. DISCONNECT.
    public static let messageRateTooHigh = Self(rawValue: 0x96)
    /// Quota exceeded: a limit of the implementation or of an administrator was reached.
    public static let quotaExceeded = Self(rawValue: 0x97)
    /// Administrative action: an administrator closed the connection. DISCONNECT.
    public static let administrativeAction = Self(rawValue: 0x98)
    /// Payload format invalid: the payload does not match its payload format indicator.
    public static let payloadFormatInvalid = Self(rawValue: 0x99)
    /// Retain not supported: the server does not support retained messages. CONNACK, DISCONNECT.
    public static let retainNotSupported = Self(rawValue: 0x9A)
    /// QoS not supported: above the server's maximum QoS. CONNACK, DISCONNECT.
    public static let qosNotSupported = Self(rawValue: 0x9B)
    /// Use another server, for now. CONNACK, DISCONNECT.
    public static let useAnotherServer = Self(rawValue: 0x9C)
    /// Server moved: use another one from now on. CONNACK, DISCONNECT.
    public static let serverMoved = Self(rawValue: 0x9D)
    /// Shared subscriptions not supported. SUBACK, DISCONNECT.
    public static let sharedSubscriptionsNotSupported = Self(rawValue: 0x9E)
    /// Connection rate exceeded: connections are opened too frequently. CONNACK, DISCONNECT.
    public static let connectionRateExceeded = Self(rawValue: 0x9F)
    /// Maximum connect time: the connection has reached its maximum duration. DISCONNECT.
    public static let maximumConnectTime = Self(rawValue: 0xA0)
    /// Subscription identifiers not supported. SUBACK, DISCONNECT.
    public static let subscriptionIdentifiersNotSupported = Self(rawValue: 0xA1)
    /// Wildcard subscriptions not supported. SUBACK, DISCONNECT.
    public static let wildcardSubscriptionsNotSupported = Self(rawValue: 0xA2)
}

extension ReasonCode: CustomStringConvertible {
    /// The name and the byte, as in `not authorized (0x87)`. 0x00 is called `success` in every packet.
    public var description: String {
        let hexadecimal = String(self.rawValue, radix: 16, uppercase: true)
        return "\(self.name) (0x\(self.rawValue < 0x10 ? "0" : "")\(hexadecimal))"
    }

    private var name: String {
        switch self {
        case .success: "success"
        case .grantedQoS1: "granted QoS 1"
        case .grantedQoS2: "granted QoS 2"
        case .disconnectWithWillMessage: "disconnect with will message"
        case .noMatchingSubscribers: "no matching subscribers"
        case .noSubscriptionExisted: "no subscription existed"
        case .continueAuthentication: "continue authentication"
        case .reauthenticate: "re-authenticate"
        case .unspecifiedError: "unspecified error"
        case .malformedPacket: "malformed packet"
        case .protocolError: "protocol error"
        case .implementationSpecificError: "implementation specific error"
        case .unsupportedProtocolVersion: "unsupported protocol version"
        case .clientIdentifierNotValid: "client identifier not valid"
        case .badUserNameOrPassword: "bad user name or password"
        case .notAuthorized: "not authorized"
        case .serverUnavailable: "server unavailable"
        case .serverBusy: "server busy"
        case .banned: "banned"
        case .serverShuttingDown: "server shutting down"
        case .badAuthenticationMethod: "bad authentication method"
        case .keepAliveTimeout: "keep alive timeout"
        case .sessionTakenOver: "session taken over"
        case .topicFilterInvalid: "topic filter invalid"
        case .topicNameInvalid: "topic name invalid"
        case .packetIdentifierInUse: "packet identifier in use"
        case .packetIdentifierNotFound: "packet identifier not found"
        case .receiveMaximumExceeded: "receive maximum exceeded"
        case .topicAliasInvalid: "topic alias invalid"
        case .packetTooLarge: "packet too large"
        case .messageRateTooHigh: "message rate too high"
        case .quotaExceeded: "quota exceeded"
        case .administrativeAction: "administrative action"
        case .payloadFormatInvalid: "payload format invalid"
        case .retainNotSupported: "retain not supported"
        case .qosNotSupported: "QoS not supported"
        case .useAnotherServer: "use another server"
        case .serverMoved: "server moved"
        case .sharedSubscriptionsNotSupported: "shared subscriptions not supported"
        case .connectionRateExceeded: "connection rate exceeded"
        case .maximumConnectTime: "maximum connect time"
        case .subscriptionIdentifiersNotSupported: "subscription identifiers not supported"
        case .wildcardSubscriptionsNotSupported: "wildcard subscriptions not supported"
        default: "unknown reason code"
        }
    }
}

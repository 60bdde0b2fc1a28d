/// How to proceed after a server refused or ended a connection with a reason code.
package enum ReconnectAdvice: Hashable, Sendable {
    /// Retry the same server after a delay: the cause concerns this connection, or is temporary.
    case retry
    /// Try another server at once, if there is one: this one is busy, shutting down or out of order.
    case nextServer
    /// Use the servers in the Server Reference for now.
    case redirectForNow
    /// Use the servers in the Server Reference from now on.
    case redirectForGood
    /// Use MQTT 3.1.1 instead of 5.0 if the configuration allows both; otherwise stop.
    case olderVersion
    /// Retry if a server has accepted the client before: its credentials may have expired and been renewed since, or
    /// the server may not reach its user database. Otherwise stop, because the user has to correct the credentials.
    case retryIfAcceptedBefore
    /// Stop: another attempt would end the same way.
    case stop
}

extension ReasonCode {
    /// How to proceed when the server answers CONNECT with this code (MQTT 5.0 section 3.2.2.2).
    package var adviceAfterConnAck: ReconnectAdvice {
        switch self {
        case .unsupportedProtocolVersion:
            .olderVersion
        case .badUserNameOrPassword, .notAuthorized:
            .retryIfAcceptedBefore
        case .useAnotherServer:
            .redirectForNow
        case .serverMoved:
            .redirectForGood
        case .unspecifiedError, .implementationSpecificError, .serverUnavailable, .serverBusy, .serverShuttingDown,
            .quotaExceeded:
            .nextServer
        case .connectionRateExceeded:
            .retry
        case .malformedPacket, .protocolError, .clientIdentifierNotValid, .banned, .badAuthenticationMethod,
            .topicNameInvalid, .packetTooLarge, .payloadFormatInvalid, .retainNotSupported, .qosNotSupported:
            // The same CONNECT, with the same will, would be refused again.
            .stop
        default:
            // Codes that the standard does not define here say nothing about the next attempt.
            .retry
        }
    }

    /// How to proceed when the server sends DISCONNECT with this code (MQTT 5.0 section 3.14.2.1).
    package var adviceAfterDisconnect: ReconnectAdvice {
        switch self {
        case .banned:
            .stop
        case .sessionTakenOver:
            // Another client uses the same client identifier. Taking the session back would make it do the same, and
            // neither would stay connected for long.
            .stop
        case .useAnotherServer:
            .redirectForNow
        case .serverMoved:
            .redirectForGood
        case .serverBusy, .serverShuttingDown:
            .nextServer
        default:
            // The server had accepted the client, so CONNECT is valid. The server objects to one packet, or to the
            // time that passed. If that packet comes again, the delay grows, because the connection is never stable.
            .retry
        }
    }

    /// Whether a server that sends DISCONNECT with this code may object to a packet, rather than to the client or to
    /// the time that passed.
    package var mayBlamePacket: Bool {
        switch self {
        case .keepAliveTimeout, .sessionTakenOver, .serverBusy, .serverShuttingDown, .useAnotherServer, .serverMoved,
            .administrativeAction, .connectionRateExceeded, .maximumConnectTime, .banned, .messageRateTooHigh:
            false
        default: true
        }
    }
}

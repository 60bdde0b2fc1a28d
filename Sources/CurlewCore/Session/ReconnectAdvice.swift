/// What is worth doing after a server refused or ended a connection with a reason code.
package enum ReconnectAdvice: Hashable, Sendable {
    /// The same server, after a delay: the cause is this connection's, or passes.
    case retry
    /// Another server at once, if there is one: this one is busy, shutting down or out of order.
    case nextServer
    /// The servers that the Server Reference names, for the time being.
    case redirectForNow
    /// The servers that the Server Reference names, from now on.
    case redirectForGood
    /// MQTT 3.1.1 instead of 5.0, if the user left the version open; otherwise nothing.
    case olderVersion
    /// As `retry` if a server has accepted the client before (its credentials may have expired and been renewed since,
    /// or the server's user database be out of order); otherwise nothing, as the user has to correct them.
    case retryIfAcceptedBefore
    /// Nothing: it would end the same way again.
    case stop
}

extension ReasonCode {
    /// What is worth doing when the server answers CONNECT with this code (MQTT 5.0 section 3.2.2.2).
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
            // Codes that the standard has no use for here say nothing about the next try.
            .retry
        }
    }

    /// What is worth doing when the server ends a connection by DISCONNECT with this code (MQTT 5.0 section 3.14.2.1).
    package var adviceAfterDisconnect: ReconnectAdvice {
        switch self {
        case .banned:
            .stop
        case .sessionTakenOver:
            // Another client has this client's identifier. To take the session back would make that one do the same,
            // and neither would ever be connected for long.
            .stop
        case .useAnotherServer:
            .redirectForNow
        case .serverMoved:
            .redirectForGood
        case .serverBusy, .serverShuttingDown:
            .nextServer
        default:
            // The server had accepted the client, so CONNECT is in order. What it objects to is one packet, or the time
            // that passed; if that packet comes again, the delay grows, as the connection is never stable.
            .retry
        }
    }

    /// Whether a server that ends a connection by DISCONNECT with this code may object to a packet, rather than to the client or to
    /// the time.
    package var mayBlamePacket: Bool {
        switch self {
        case .keepAliveTimeout, .sessionTakenOver, .serverBusy, .serverShuttingDown, .useAnotherServer, .serverMoved,
            .administrativeAction, .connectionRateExceeded, .maximumConnectTime, .banned, .messageRateTooHigh:
            false
        default: true
        }
    }
}

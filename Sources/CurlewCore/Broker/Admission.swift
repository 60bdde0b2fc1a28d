package import NIOCore

/// What a server allows its clients, and announces in CONNACK (MQTT 5.0 section 3.2.2.3).
package struct ServerTerms: Sendable, Equatable {
    package var maximumQoS = QoS.exactlyOnce
    package var retainAvailable = true
    package var maximumPacketSize: UInt32 = 1 << 20
    /// The largest possible packet: one byte of type, four bytes of length, and the largest length that these can
    /// express (MQTT 5.0 section 2.1.4).
    private static let largestPacket: UInt32 = 268_435_460
    package var receiveMaximum: UInt16 = 1000
    package var topicAliasMaximum: UInt16 = 16
    package var maximumKeepAlive: UInt16 = .max
    /// The maximum session expiry interval in seconds; `nil` for no limit.
    package var maximumSessionExpiry: UInt32?
    package var assignsClientIdentifiers = true
    /// The prefix for response topics; `nil` announces none.
    package var responseInformationPrefix: String?
    package var serverReference: String?
    /// The maximum number of messages in flight to a client, and of topic aliases used towards it.
    package var maximumInFlightMessages: UInt16 = 1000
    package var outgoingTopicAliasMaximum: UInt16 = 16

    package init() {}
}

/// The result of checking a CONNECT, before the client is authenticated.
package enum Admission: Equatable, Sendable {
    /// The server supports what the client requests.
    case admitted(Admitted)
    /// The server does not: answer with CONNACK, this reason code and explanation.
    case refused(ReasonCode, String)

    /// What the client and the server have agreed on.
    package struct Admitted: Equatable, Sendable {
        package var version: ProtocolVersion
        /// Whether the client is a bridge of another broker, which must not receive its own messages.
        package var isBridge: Bool
        /// Empty when the server has to assign one [MQTT-3.1.3-6].
        package var clientIdentifier: String
        package var cleanStart: Bool
        /// In seconds; 0 for none.
        package var keepAlive: UInt16
        /// Whether CONNACK must contain the keep alive because it differs from the requested one [MQTT-3.2.2-22].
        package var isKeepAliveOurs: Bool
        package var sessionExpiry: SessionExpiry
        /// Whether CONNACK must contain the session expiry interval (section 3.2.2.3.2).
        package var isSessionExpiryOurs: Bool
        package var will: Connect.Will?
        package var outgoing: BrokerSession.ConnectionTerms
        /// Whether reason strings and user properties may be sent with failures [MQTT-3.1.2-32].
        package var wantsProblemInformation: Bool
        package var wantsResponseInformation: Bool
        package var authenticationMethod: String?
        package var authenticationData: ByteBuffer?
    }
}

/// How long a session outlives its connection (MQTT 5.0 section 3.1.2.11.2).
package enum SessionExpiry: Equatable, Sendable {
    case atDisconnect
    case after(seconds: UInt32)
    case never

    package init(seconds: UInt32) {
        switch seconds {
        case 0: self = .atDisconnect
        case .max: self = .never
        default: self = .after(seconds: seconds)
        }
    }

    package var seconds: UInt32 {
        switch self {
        case .atDisconnect: 0
        case .after(let seconds): seconds
        case .never: .max
        }
    }

    /// No longer than `maximum`.
    package func limited(to maximum: UInt32?) -> Self {
        guard let maximum else { return self }
        return Self(seconds: min(self.seconds, maximum))
    }
}

extension ServerTerms {
    /// Checks what a CONNECT requests.
    package func admit(_ connect: Connect) -> Admission {
        if let refusal = self.refusal(of: connect) { return refusal }
        let properties = connect.properties
        let asked = Self.sessionExpiry(of: connect)
        let expiry = asked.limited(to: self.maximumSessionExpiry)
        let keepAlive = self.keepAlive(connect.keepAlive)
        let clientMaximum = properties.value { if case .receiveMaximum(let value) = $0 { value } else { nil } }
        let aliases = properties.value { if case .topicAliasMaximum(let value) = $0 { value } else { nil } }
        return .admitted(
            Admission.Admitted(
                version: connect.version, isBridge: connect.isBridge, clientIdentifier: connect.clientIdentifier,
                cleanStart: connect.cleanStart,
                keepAlive: keepAlive, isKeepAliveOurs: keepAlive != connect.keepAlive, sessionExpiry: expiry,
                isSessionExpiryOurs: expiry != asked, will: connect.will,
                outgoing: BrokerSession.ConnectionTerms(
                    version: connect.version,
                    receiveMaximum: Int(min(clientMaximum ?? .max, self.maximumInFlightMessages)),
                    maximumPacketSize: properties.value {
                        if case .maximumPacketSize(let value) = $0 { value } else { nil }
                    },
                    topicAliasMaximum: min(aliases ?? 0, self.outgoingTopicAliasMaximum)),
                wantsProblemInformation: properties.value {
                    if case .requestProblemInformation(let value) = $0 { value } else { nil }
                } ?? true,
                wantsResponseInformation: properties.value {
                    if case .requestResponseInformation(let value) = $0 { value } else { nil }
                } ?? false,
                authenticationMethod: properties.authenticationMethod, authenticationData: properties.authenticationData
            )
        )
    }

    private func refusal(of connect: Connect) -> Admission? {
        if connect.clientIdentifier.isEmpty {
            guard self.assignsClientIdentifiers else {  // [MQTT-3.1.3-8]
                return .refused(.clientIdentifierNotValid, "The server does not make client identifiers.")
            }
            guard connect.version == .v5_0 || connect.version == .v3_1_1 && connect.cleanStart else {
                return .refused(
                    .clientIdentifierNotValid, "Before MQTT 5.0, a session that is kept needs a client identifier.")
            }
        }
        if connect.version < .v5_0, self.keepAlive(connect.keepAlive) != connect.keepAlive {
            return .refused(
                .clientIdentifierNotValid, "The keep alive must be 1 to \(self.maximumKeepAlive) seconds.")
        }
        if let will = connect.will {
            guard will.qos <= self.maximumQoS else {  // [MQTT-3.2.2-12]
                return .refused(.qosNotSupported, "The QoS of the will is above \(self.maximumQoS.rawValue).")
            }
            guard !will.retain || self.retainAvailable else {  // [MQTT-3.2.2-13]
                return .refused(.retainNotSupported, "The will is to be retained, which the server does not do.")
            }
        }
        return nil
    }

    private func keepAlive(_ asked: UInt16) -> UInt16 {
        guard self.maximumKeepAlive < .max else { return asked }
        return asked == 0 ? self.maximumKeepAlive : min(asked, self.maximumKeepAlive)
    }

    private static func sessionExpiry(of connect: Connect) -> SessionExpiry {
        guard connect.version == .v5_0 else { return connect.cleanStart ? .atDisconnect : .never }
        return SessionExpiry(seconds: connect.properties.sessionExpiryInterval ?? 0)
    }

    /// The CONNACK that accepts a client.
    package func accept(
        _ admitted: Admission.Admitted, sessionPresent: Bool, assignedIdentifier: String?,
        authenticationData: ByteBuffer?
    ) -> ConnAck {
        var list: [Property] = []
        guard admitted.version == .v5_0 else { return ConnAck(sessionPresent: sessionPresent) }
        if admitted.isSessionExpiryOurs { list.append(.sessionExpiryInterval(admitted.sessionExpiry.seconds)) }
        if self.receiveMaximum < .max { list.append(.receiveMaximum(self.receiveMaximum)) }
        if self.maximumQoS < .exactlyOnce { list.append(.maximumQoS(self.maximumQoS)) }  // [MQTT-3.2.2-9]
        if !self.retainAvailable { list.append(.retainAvailable(false)) }
        // If every packet fits, no property is needed. Paho for Python closes the connection over larger values.
        if self.maximumPacketSize < Self.largestPacket {
            list.append(.maximumPacketSize(min(self.maximumPacketSize, 268_435_455)))
        }
        if let assignedIdentifier { list.append(.assignedClientIdentifier(assignedIdentifier)) }  // [MQTT-3.2.2-16]
        if self.topicAliasMaximum > 0 { list.append(.topicAliasMaximum(self.topicAliasMaximum)) }
        if admitted.isKeepAliveOurs { list.append(.serverKeepAlive(admitted.keepAlive)) }
        if admitted.wantsResponseInformation, let prefix = self.responseInformationPrefix {  // [MQTT-3.1.2-31]
            list.append(.responseInformation(prefix + (assignedIdentifier ?? admitted.clientIdentifier)))
        }
        if let method = admitted.authenticationMethod {
            list.append(.authenticationMethod(method))
            if let authenticationData { list.append(.authenticationData(authenticationData)) }
        }
        return ConnAck(sessionPresent: sessionPresent, properties: Properties(list))
    }
}

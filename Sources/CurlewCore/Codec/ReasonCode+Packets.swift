extension ReasonCode {
    /// Whether the standard lists this code for that packet of 5.0. The sender is not checked: nothing depends on
    /// it, and existing servers end connections with 0x00, which table 3-13 permits only for clients.
    func isDefined(for packet: PacketType) -> Bool {
        switch packet {
        case .connack:  // [MQTT-3.2.2-8]
            switch self.rawValue {
            case 0x00, 0x80...0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99...0x9D, 0x9F: true
            default: false
            }
        case .puback, .pubrec:  // [MQTT-3.4.2-1] [MQTT-3.5.2-1]
            switch self.rawValue {
            case 0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99: true
            default: false
            }
        case .pubrel, .pubcomp:  // [MQTT-3.6.2-1] [MQTT-3.7.2-1]
            switch self.rawValue {
            case 0x00, 0x92: true
            default: false
            }
        case .suback:  // [MQTT-3.9.3-2]
            switch self.rawValue {
            case 0x00...0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2: true
            default: false
            }
        case .unsuback:  // [MQTT-3.11.3-2]
            switch self.rawValue {
            case 0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91: true
            default: false
            }
        case .disconnect:  // [MQTT-3.14.2-1]; 0x8C is only in table 2-6, for a failed re-authentication.
            switch self.rawValue {
            case 0x00, 0x04, 0x80...0x83, 0x87, 0x89, 0x8B...0x90, 0x93...0xA2: true
            default: false
            }
        case .auth:  // [MQTT-3.15.2-1]
            switch self.rawValue {
            case 0x00, 0x18, 0x19: true
            default: false
            }
        case .connect, .publish, .subscribe, .unsubscribe, .pingreq, .pingresp:
            false
        }
    }

    /// This code, or the closest one that the standard lists for that packet of 5.0.
    package func fitting(_ packet: PacketType) -> ReasonCode {
        if self.isDefined(for: packet) { return self }
        switch (self, packet) {
        case (.serverShuttingDown, .connack), (.keepAliveTimeout, .connack): return .serverUnavailable
        case (.badUserNameOrPassword, .disconnect), (.banned, .disconnect), (.banned, .puback), (.banned, .pubrec),
            (.badAuthenticationMethod, .puback), (.badAuthenticationMethod, .pubrec):
            return .notAuthorized
        case (.unsupportedProtocolVersion, .disconnect), (.topicAliasInvalid, .connack): return .protocolError
        case _ where self.isFailure: return .unspecifiedError
        default: return .success
        }
    }

    // MARK: Before 5.0

    /// The reason code for the `returnCode` of a CONNACK of MQTT 3.1 or 3.1.1; `nil` for a reserved one.
    init?(connectReturnCode returnCode: UInt8) {
        switch returnCode {
        case 0: self = .success
        case 1: self = .unsupportedProtocolVersion
        case 2: self = .clientIdentifierNotValid
        case 3: self = .serverUnavailable
        case 4: self = .badUserNameOrPassword
        case 5: self = .notAuthorized
        default: return nil
        }
    }

    /// The closest return code of MQTT 3.1 and 3.1.1, otherwise *server unavailable*.
    package var connectReturnCode: UInt8 {
        switch self {
        case .success: 0
        case .unsupportedProtocolVersion: 1
        case .clientIdentifierNotValid: 2
        case .badUserNameOrPassword, .badAuthenticationMethod: 4
        case .notAuthorized, .banned: 5
        default: 3
        }
    }

    /// The reason code for the `returnCode` of a SUBACK of MQTT 3.1 or 3.1.1; `nil` for a reserved one.
    ///
    /// 3.1 cannot refuse a subscription, but existing servers send 0x80 to its clients, too.
    init?(subscribeReturnCode returnCode: UInt8) {
        switch returnCode {
        case 0...2, 0x80: self.init(rawValue: returnCode)
        default: return nil
        }
    }

    /// The return code of a SUBACK of MQTT 3.1 and 3.1.1: every failure is 0x80.
    var subscribeReturnCode: UInt8 { self.isFailure ? 0x80 : self.rawValue }
}

import CurlewCore
import NIOCore

/// Generates valid packets of every type.
struct RandomPackets {
    private var generator: SplitMix64
    let version: ProtocolVersion
    let sender: PacketSender

    init(seed: UInt64, version: ProtocolVersion, sender: PacketSender) {
        self.generator = SplitMix64(seed: seed)
        self.version = version
        self.sender = sender
    }

    private static let sent: [PacketSender: [PacketType]] = [
        .client: [
            .connect, .publish, .puback, .pubrec, .pubrel, .pubcomp, .subscribe, .unsubscribe, .pingreq, .disconnect,
            .auth,
        ],
        .server: [
            .connack, .publish, .puback, .pubrec, .pubrel, .pubcomp, .suback, .unsuback, .pingresp, .disconnect, .auth,
        ],
    ]

    mutating func next() -> Packet {
        let types = Self.sent[self.sender, default: []].filter { type in
            self.version == .v5_0 || type != .auth && (type != .disconnect || self.sender == .client)
        }
        switch self.one(of: types) {
        case .connect: return .connect(self.connect())
        case .connack: return .connack(self.connack())
        case .publish: return .publish(self.publish())
        case .puback: return .puback(self.acknowledgement(.puback))
        case .pubrec: return .pubrec(self.acknowledgement(.pubrec))
        case .pubrel: return .pubrel(self.acknowledgement(.pubrel))
        case .pubcomp: return .pubcomp(self.acknowledgement(.pubcomp))
        case .subscribe: return .subscribe(self.subscribe())
        case .unsubscribe:
            let filters = (0...self.number(3)).map { _ in self.filter() }
            return .unsubscribe(Unsubscribe(self.packetID(), filters, properties: self.properties(.unsubscribe)))
        case .suback: return .suback(self.suback())
        case .unsuback:
            let codes = [ReasonCode.success, .noSubscriptionExisted, .notAuthorized]
            let list = self.version == .v5_0 ? (0...self.number(3)).map { _ in self.one(of: codes) } : []
            return .unsuback(UnsubAck(self.packetID(), list, properties: self.properties(.unsuback)))
        case .pingreq: return .pingreq
        case .pingresp: return .pingresp
        case .disconnect:
            guard self.version == .v5_0 else { return .disconnect(Disconnect()) }
            let code = self.one(of: [
                ReasonCode.normalDisconnection, .unspecifiedError, .malformedPacket, .packetTooLarge,
            ])
            return .disconnect(Disconnect(reasonCode: code, properties: self.properties(.disconnect)))
        case .auth:
            var properties = self.properties(.auth)
            if !properties.list.contains(where: { $0.identifier == .authenticationMethod }) {
                properties.list.append(.authenticationMethod("m"))
            }
            let code = self.one(of: [ReasonCode.success, .continueAuthentication, .reauthenticate])
            return .auth(Auth(reasonCode: code, properties: properties))
        }
    }

    // MARK: Packets

    private mutating func connect() -> Connect {
        let username = self.flag() ? self.text() : nil
        let hasWill = self.flag()
        return Connect(
            version: self.version, cleanStart: self.flag(), keepAlive: UInt16(self.number(65_535)),
            clientIdentifier: "c" + self.text(), username: username,
            password: self.flag() && (self.version == .v5_0 || username != nil)
                ? MQTTPassword(bytes: self.data()) : nil,
            will: hasWill
                ? Connect.Will(
                    topic: self.topic(), payload: self.data(), qos: self.qos(), retain: self.flag(),
                    properties: self.properties(.connect, isWill: true)
                ) : nil,
            properties: self.properties(.connect)
        )
    }

    private mutating func connack() -> ConnAck {
        let codes = [ReasonCode.success, .unsupportedProtocolVersion, .serverUnavailable, .notAuthorized]
        let code = self.one(of: codes)
        let sessionPresent = code == .success && self.version > .v3_1 && self.flag()
        return ConnAck(sessionPresent: sessionPresent, reasonCode: code, properties: self.properties(.connack))
    }

    private mutating func publish() -> Publish {
        let qos = self.qos()
        let alias = self.version == .v5_0 && self.flag() ? UInt16(1 + self.number(65_534)) : nil
        return Publish(
            topic: alias != nil && self.flag() ? nil : self.topic(), topicAlias: alias, payload: self.data(), qos: qos,
            retain: self.flag(), dup: qos != .atMostOnce && self.flag(),
            packetID: qos == .atMostOnce ? nil : self.packetID(), properties: self.properties(.publish)
        )
    }

    private mutating func acknowledgement(_ type: PacketType) -> Acknowledgement {
        let failure: ReasonCode = type == .puback || type == .pubrec ? .notAuthorized : .packetIdentifierNotFound
        let code = self.version == .v5_0 && self.flag() ? failure : .success
        return Acknowledgement(self.packetID(), reasonCode: code, properties: self.properties(type))
    }

    private mutating func subscribe() -> Subscribe {
        let subscriptions = (0...self.number(3)).map { _ in
            Subscribe.Subscription(
                self.filter(),
                self.version == .v5_0
                    ? SubscriptionOptions(
                        qos: self.qos(), noLocal: self.flag(), retainAsPublished: self.flag(),
                        retainHandling: self.one(of: SubscriptionOptions.RetainHandling.allCases)
                    ) : SubscriptionOptions(qos: self.qos())
            )
        }
        return Subscribe(self.packetID(), subscriptions, properties: self.properties(.subscribe))
    }

    private mutating func suback() -> SubAck {
        let codes = [ReasonCode.grantedQoS0, .grantedQoS1, .grantedQoS2, .unspecifiedError]
        let list = (0...self.number(3)).map { _ in self.one(of: codes) }
        return SubAck(self.packetID(), list, properties: self.properties(.suback))
    }

    // MARK: Properties

    /// Some of the properties that are allowed there, in any order, and user properties.
    private mutating func properties(_ packet: PacketType, isWill: Bool = false) -> Properties {
        guard self.version == .v5_0, self.flag() else { return Properties() }
        let allowed = PropertyIdentifier.allCases.filter {
            isWill ? $0.mayStandInWill : $0.mayStand(in: packet, from: self.sender)
        }
        var list = allowed.filter { _ in self.flag() }.map { self.property($0) }
        let identifiers = list.map(\.identifier)
        if identifiers.contains(.authenticationData), !identifiers.contains(.authenticationMethod) {
            list.append(self.property(.authenticationMethod))
        }
        for _ in 0..<self.number(2) { list.append(self.property(.userProperty)) }
        list.shuffle(using: &self.generator)
        return Properties(list)
    }

    private mutating func property(_ identifier: PropertyIdentifier) -> Property {
        switch identifier {
        case .payloadFormatIndicator: .payloadFormatIndicator(self.flag() ? 1 : 0)
        case .messageExpiryInterval: .messageExpiryInterval(self.fourBytes())
        case .contentType: .contentType(self.text())
        case .responseTopic: .responseTopic(self.topic().string)
        case .correlationData: .correlationData(self.data())
        case .subscriptionIdentifier: .subscriptionIdentifier(UInt32(1 + self.number(268_435_454)))
        case .sessionExpiryInterval: .sessionExpiryInterval(self.fourBytes())
        case .assignedClientIdentifier: .assignedClientIdentifier(self.text())
        case .serverKeepAlive: .serverKeepAlive(UInt16(self.number(65_535)))
        case .authenticationMethod: .authenticationMethod(self.text())
        case .authenticationData: .authenticationData(self.data())
        case .requestProblemInformation: .requestProblemInformation(self.flag())
        case .willDelayInterval: .willDelayInterval(self.fourBytes())
        case .requestResponseInformation: .requestResponseInformation(self.flag())
        case .responseInformation: .responseInformation(self.text())
        case .serverReference: .serverReference(self.text())
        case .reasonString: .reasonString(self.text())
        case .receiveMaximum: .receiveMaximum(UInt16(1 + self.number(65_534)))
        case .topicAliasMaximum: .topicAliasMaximum(UInt16(self.number(65_535)))
        case .topicAlias: .topicAlias(UInt16(1 + self.number(65_534)))
        case .maximumQoS: .maximumQoS(self.flag() ? .atLeastOnce : .atMostOnce)
        case .retainAvailable: .retainAvailable(self.flag())
        case .userProperty: .userProperty(UserProperty(self.text(), self.text()))
        case .maximumPacketSize: .maximumPacketSize(max(1, self.fourBytes()))
        case .wildcardSubscriptionAvailable: .wildcardSubscriptionAvailable(self.flag())
        case .subscriptionIdentifierAvailable: .subscriptionIdentifierAvailable(self.flag())
        case .sharedSubscriptionAvailable: .sharedSubscriptionAvailable(self.flag())
        }
    }

    // MARK: Values

    private mutating func number(_ maximum: Int) -> Int { Int.random(in: 0...maximum, using: &self.generator) }
    private mutating func flag() -> Bool { Bool.random(using: &self.generator) }
    private mutating func fourBytes() -> UInt32 { UInt32.random(in: 0...(.max), using: &self.generator) }
    private mutating func packetID() -> PacketID { id(UInt16(1 + self.number(65_534))) }
    private mutating func qos() -> QoS { self.one(of: QoS.allCases) }
    private mutating func one<Value>(of values: [Value]) -> Value { values[self.number(values.count - 1)] }

    private mutating func text() -> String {
        let characters: [Character] = ["a", "Z", "/", " ", "é", "鷸", "\u{1F426}", "\u{FEFF}", "\u{1}", "e\u{301}"]
        return String((0..<self.number(20)).map { _ in self.one(of: characters) })
    }

    private mutating func topic() -> TopicName { TopicName(unchecked: "t" + self.text()) }
    private mutating func filter() -> TopicFilter {
        topicFilter(self.one(of: ["", "+/", "a/+/"]) + "f" + self.text() + "/#")
    }

    private mutating func data() -> ByteBuffer {
        ByteBuffer(
            bytes: (0..<self.number(self.number(9) == 0 ? 20_000 : 30)).map { _ in
                UInt8.random(in: 0...255, using: &self.generator)
            })
    }
}

import CurlewCore
import NIOCore
import Testing

@Suite("Encoding packets")
struct PacketEncodingTests {
    @Test("A packet is encoded to the bytes of its vector", arguments: Vector.valid)
    func vectors(_ vector: Vector) throws {
        guard let packet = vector.packet else { return }
        for (version, sender) in vector.cases {
            checkRoundTrip(packet, version: version, sender: sender)
            guard case .packet = vector.meaning else { continue }
            var buffer = ByteBuffer()
            try packet.encode(into: &buffer, version: version)
            #expect(Array(buffer.readableBytesView) == vector.bytes)
        }
    }

    @Test("Packets are appended to a buffer's content")
    func appending() throws {
        var buffer = ByteBuffer(bytes: [1, 2, 3])
        try Packet.pingreq.encode(into: &buffer, version: .v5_0)
        try Packet.disconnect(Disconnect()).encode(into: &buffer, version: .v5_0)
        #expect(Array(buffer.readableBytesView) == [1, 2, 3, 0xC0, 0, 0xE0, 0])
    }

    @Test(
        "The remaining length takes as many bytes as necessary",
        arguments: [
            (0, 5), (124, 129), (125, 131), (16_380, 16_386), (16_381, 16_388), (2_097_148, 2_097_155),
            (2_097_149, 2_097_157),
        ]
    )
    func lengths(payload: Int, size: Int) throws {
        let publish = Publish(topic: "a", payload: ByteBuffer(repeating: 7, count: payload))
        // The topic takes 3 bytes; the fixed header takes 2 to 5.
        #expect(try publish.encodedSize(version: .v3_1_1) == size)
        checkRoundTrip(.publish(publish), version: .v3_1_1, sender: .client)
    }

    private func refuses(
        _ packet: Packet, in version: ProtocolVersion = .v5_0, _ error: EncodingError,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var buffer = ByteBuffer(bytes: [1, 2, 3])
        #expect(throws: error, sourceLocation: sourceLocation) { try packet.encode(into: &buffer, version: version) }
        #expect(Array(buffer.readableBytesView) == [1, 2, 3], "nothing is written", sourceLocation: sourceLocation)
        #expect(throws: error, sourceLocation: sourceLocation) { try packet.encodedSize(version: version) }
        #expect(error.description.hasSuffix("."), sourceLocation: sourceLocation)
    }

    // [MQTT-1.5.4-2]
    @Test("A text that cannot be encoded is refused by name")
    func texts() {
        let long = String(repeating: "x", count: 65_536)
        self.refuses(.connect(Connect(clientIdentifier: "a\0")), .nullCharacter("client identifier"))
        self.refuses(.connect(Connect(clientIdentifier: long)), .tooLong("client identifier", bytes: 65_536))
        self.refuses(.connect(Connect(clientIdentifier: "a", username: long)), .tooLong("user name", bytes: 65_536))
        self.refuses(
            .connect(
                Connect(clientIdentifier: "a", password: MQTTPassword(bytes: ByteBuffer(repeating: 0, count: 65_536)))),
            .tooLong("password", bytes: 65_536)
        )
        self.refuses(
            .connect(
                Connect(
                    clientIdentifier: "a",
                    will: Connect.Will(topic: "w", payload: ByteBuffer(repeating: 0, count: 65_536))
                )
            ),
            .tooLong("payload of the will", bytes: 65_536)
        )
        self.refuses(
            .publish(Publish(topic: "a", payload: ByteBuffer(), properties: Properties([.contentType("\0")]))),
            .nullCharacter("Content Type")
        )
        self.refuses(
            .publish(
                Publish(
                    topic: "a", payload: ByteBuffer(), properties: Properties([.userProperty(UserProperty("k", long))])
                )
            ),
            .tooLong("value of the user property “k”", bytes: 65_536)
        )
    }

    @Test("Texts and binary data of 65,535 bytes are sent")
    func longest() {
        let longest = String(repeating: "é", count: 32_767) + "x"
        checkRoundTrip(
            .connect(
                Connect(
                    clientIdentifier: longest, username: longest,
                    password: MQTTPassword(bytes: ByteBuffer(repeating: 1, count: 65_535)),
                    properties: Properties([.userProperty(UserProperty(longest, longest))])
                )
            ),
            version: .v5_0, sender: .client
        )
    }

    @Test("A payload that is too large for the fixed header is refused")
    func payloadTooLarge() {
        // A payload 4 bytes shorter would fit, next to a topic of one byte and an empty property list.
        let payload = ByteBuffer(repeating: 0, count: 268_435_455 - 3)
        self.refuses(.publish(Publish(topic: "a", payload: payload)), .packetTooLarge(bytes: 268_435_456))
    }

    // [MQTT-2.2.1-2] [MQTT-3.3.1-2] [MQTT-3.3.2-8] [MQTT-3.3.2-14] [MQTT-4.3.1-1]
    @Test("A contradictory PUBLISH is refused")
    func publish() {
        self.refuses(
            .publish(Publish(topic: "a", payload: ByteBuffer(), packetID: id(1))),
            .invalid("A PUBLISH has a packet identifier if, and only if, its QoS is 1 or 2.")
        )
        self.refuses(
            .publish(Publish(topic: "a", payload: ByteBuffer(), qos: .atLeastOnce)),
            .invalid("A PUBLISH has a packet identifier if, and only if, its QoS is 1 or 2.")
        )
        self.refuses(
            .publish(Publish(topic: "a", payload: ByteBuffer(), dup: true)),
            .invalid("A PUBLISH at QoS 0 is never sent again.")
        )
        self.refuses(
            .publish(Publish(topic: nil, payload: ByteBuffer())), .invalid("A PUBLISH needs a topic or a topic alias.")
        )
        self.refuses(
            .publish(Publish(topic: "a", topicAlias: 0, payload: ByteBuffer())), .propertyValue(.topicAlias, .publish)
        )
        #expect(throws: EncodingError.self) {
            try Publish(topic: "a", payload: ByteBuffer(), properties: Properties([.responseTopic("a/#")]))
                .encodedSize(version: .v5_0)
        }
    }

    @Test("A misplaced, repeated or out-of-range property is refused")
    func properties() {
        func publish(_ properties: [Property]) -> Packet {
            .publish(Publish(topic: "a", payload: ByteBuffer(), properties: Properties(properties)))
        }
        self.refuses(publish([.serverKeepAlive(1)]), .misplacedProperty(.serverKeepAlive, .publish))
        self.refuses(publish([.topicAlias(1)]), .misplacedProperty(.topicAlias, .publish))
        self.refuses(publish([.contentType("a"), .contentType("b")]), .repeatedProperty(.contentType, .publish))
        self.refuses(publish([.payloadFormatIndicator(2)]), .propertyValue(.payloadFormatIndicator, .publish))
        self.refuses(publish([.subscriptionIdentifier(0)]), .propertyValue(.subscriptionIdentifier, .publish))
        self.refuses(publish([.subscriptionIdentifier(268_435_456)]), .propertyValue(.subscriptionIdentifier, .publish))
        self.refuses(
            .connack(ConnAck(properties: Properties([.maximumQoS(.exactlyOnce)]))),
            .propertyValue(.maximumQoS, .connack)
        )
        self.refuses(
            .connect(Connect(clientIdentifier: "a", properties: Properties([.authenticationData(ByteBuffer())]))),
            .invalid("Authentication data need an authentication method.")
        )
    }

    // [MQTT-3.2.2-6] [MQTT-3.2.2-8] [MQTT-3.4.2-1] [MQTT-3.9.3-2] [MQTT-3.11.3-2] [MQTT-3.14.2-1] [MQTT-3.15.2-1]
    @Test("A reason code of another packet type is refused")
    func reasonCodes() throws {
        self.refuses(.connack(ConnAck(reasonCode: .sessionTakenOver)), .reasonCode(.sessionTakenOver, .connack))
        self.refuses(
            .connack(ConnAck(sessionPresent: true, reasonCode: .banned)),
            .invalid("A CONNACK that refuses the connection cannot say that a session is present.")
        )
        self.refuses(.suback(SubAck(id(1), [.noSubscriptionExisted])), .reasonCode(.noSubscriptionExisted, .suback))
        self.refuses(.unsuback(UnsubAck(id(1), [.grantedQoS1])), .reasonCode(.grantedQoS1, .unsuback))
        self.refuses(.disconnect(Disconnect(reasonCode: .banned)), .reasonCode(.banned, .disconnect))
        self.refuses(.auth(Auth(reasonCode: .banned)), .reasonCode(.banned, .auth))
        var buffer = ByteBuffer()
        #expect(throws: EncodingError.reasonCode(.packetIdentifierNotFound, .puback)) {
            try Acknowledgement(id(1), reasonCode: .packetIdentifierNotFound)
                .encode(as: .puback, into: &buffer, version: .v5_0)
        }
    }

    // [MQTT-3.8.3-2] [MQTT-3.8.3-4] [MQTT-3.8.4-6] [MQTT-3.10.3-2] [MQTT-3.11.3-1]
    @Test("Empty lists, No Local on a shared subscription, and AUTH without a method are refused")
    func lists() {
        self.refuses(.subscribe(Subscribe(id(1), [])), .invalid("A SUBSCRIBE needs a topic filter."))
        self.refuses(.unsubscribe(Unsubscribe(id(1), [])), .invalid("An UNSUBSCRIBE needs a topic filter."))
        self.refuses(.suback(SubAck(id(1), [])), .invalid("A SUBACK needs a reason code."))
        self.refuses(.unsuback(UnsubAck(id(1), [])), .invalid("An UNSUBACK needs a reason code."))
        self.refuses(
            .subscribe(Subscribe(id(1), [.init("$share/g/a", SubscriptionOptions(noLocal: true))])),
            .invalid("A shared subscription cannot leave out what its own client publishes.")
        )
        self.refuses(
            .auth(Auth(reasonCode: .continueAuthentication)), .invalid("An AUTH needs an authentication method.")
        )
    }
}

@Suite("Encoding for versions before 5.0")
struct OlderVersionEncodingTests {
    @Test(
        "A feature that the version cannot express is refused if leaving it out would change the meaning",
        arguments: [ProtocolVersion].before5)
    func refusals(version: ProtocolVersion) {
        func refuses(_ packet: Packet, _ field: String, sourceLocation: SourceLocation = #_sourceLocation) {
            var buffer = ByteBuffer()
            #expect(throws: EncodingError.notSupported(field, version), sourceLocation: sourceLocation) {
                try packet.encode(into: &buffer, version: version)
            }
            #expect(buffer.readableBytes == 0)
        }
        func subscribe(_ options: SubscriptionOptions) -> Packet { .subscribe(Subscribe(id(1), [.init("a", options)])) }
        refuses(subscribe(SubscriptionOptions(noLocal: true)), "the option noLocal of a subscription")
        refuses(
            subscribe(SubscriptionOptions(retainAsPublished: true)), "the option retainAsPublished of a subscription")
        refuses(
            subscribe(SubscriptionOptions(retainHandling: .doNotSend)), "the option retainHandling of a subscription"
        )
        refuses(.auth(Auth()), "enhanced authentication")
        refuses(.publish(Publish(topic: nil, topicAlias: 1, payload: ByteBuffer())), "a PUBLISH without a topic")
        refuses(
            .connect(Connect(version: version, clientIdentifier: "a", password: "p")),
            "a password without a user name"
        )
        refuses(
            .connect(Connect(version: version, cleanStart: false, clientIdentifier: "")),
            "an empty client identifier here"
        )
    }

    @Test("Properties, topic aliases and reason codes are left out", arguments: [ProtocolVersion].before5)
    func leftOut(version: ProtocolVersion) throws {
        func sends(
            _ packet: Packet, _ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            var buffer = ByteBuffer()
            try packet.encode(into: &buffer, version: version)
            #expect(Array(buffer.readableBytesView) == bytes, sourceLocation: sourceLocation)
            #expect(try packet.encodedSize(version: version) == bytes.count, sourceLocation: sourceLocation)
        }
        let properties = Properties([.contentType("text/plain"), .userProperty(UserProperty("k", "v"))])
        try sends(
            .publish(Publish(topic: "a", topicAlias: 1, payload: .text("x"), properties: properties)),
            [0x30, 4, 0, 1, 0x61, 0x78]
        )
        let reason = Properties([.reasonString("why")])
        try sends(.puback(Acknowledgement(id(1), reasonCode: .quotaExceeded, properties: reason)), [0x40, 2, 0, 1])
        try sends(.disconnect(Disconnect(reasonCode: .disconnectWithWillMessage, properties: reason)), [0xE0, 0])
        try sends(.unsuback(UnsubAck(id(1), [.success], properties: reason)), [0xB0, 2, 0, 1])
        try sends(
            .suback(SubAck(id(1), [.grantedQoS1, .notAuthorized], properties: reason)), [0x90, 4, 0, 1, 1, 0x80])
    }

    @Test(
        "A reason code is sent as the closest return code",
        arguments: [
            (ReasonCode.success, UInt8(0)), (.unsupportedProtocolVersion, 1), (.clientIdentifierNotValid, 2),
            (.serverUnavailable, 3), (.serverBusy, 3), (.quotaExceeded, 3), (.badUserNameOrPassword, 4),
            (.badAuthenticationMethod, 4), (.notAuthorized, 5), (.banned, 5),
        ]
    )
    func returnCodes(code: ReasonCode, returnCode: UInt8) throws {
        for version in [ProtocolVersion].before5 {
            var buffer = ByteBuffer()
            try ConnAck(reasonCode: code).encode(into: &buffer, version: version)
            #expect(Array(buffer.readableBytesView) == [0x20, 2, 0, returnCode])
        }
    }

    @Test("An empty client identifier is sent with 3.1.1 and a clean session")
    func emptyIdentifier() throws {
        checkRoundTrip(.connect(Connect(version: .v3_1_1, clientIdentifier: "")), version: .v3_1_1, sender: .client)
    }
}

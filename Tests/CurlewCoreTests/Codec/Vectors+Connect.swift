import CurlewCore
import NIOCore

extension Vector {
    static let connect: [Vector] = [
        Vector(
            "CONNECT of 5.0", from: .client,
            [
                0x10, 16,
                0, 4, "MQTT", 5,  // protocol name and level
                0b0000_0010,  // Clean Start
                0, 60,  // keep alive
                0,  // no properties
                0, 3, "abc",  // client identifier
            ],
            .packet(.connect(Connect(clientIdentifier: "abc")))
        ),
        Vector(
            "CONNECT of 3.1.1", [.v3_1_1], from: .client,
            [
                0x10, 15,
                0, 4, "MQTT", 4,
                0b0000_0000,
                0xFF, 0xFF,
                0, 3, "abc",
            ],
            .packet(
                .connect(Connect(version: .v3_1_1, cleanStart: false, keepAlive: 65_535, clientIdentifier: "abc"))
            )
        ),
        Vector(
            "CONNECT of 3.1", [.v3_1], from: .client,
            [
                0x10, 17,
                0, 6, "MQIsdp", 3,
                0b0000_0010,
                0, 0,
                0, 3, "abc",
            ],
            .packet(.connect(Connect(version: .v3_1, keepAlive: 0, clientIdentifier: "abc")))
        ),
        // [MQTT-3.1.3-6]: the server assigns an identifier.
        Vector(
            "CONNECT without a client identifier", from: .client, [0x10, 13, 0, 4, "MQTT", 5, 2, 0, 60, 0, 0, 0],
            .packet(.connect(Connect(clientIdentifier: "")))
        ),
        // [MQTT-3.1.2-9] [MQTT-3.1.2-14] [MQTT-3.1.2-19] [MQTT-3.1.2-21] [MQTT-3.1.3-1]: all fields, in their order.
        Vector(
            "CONNECT of 5.0 with everything", from: .client,
            [
                0x10, 119,
                0, 4, "MQTT", 5,
                0b1111_0110,  // user name, password, will: retained, QoS 2; Clean Start
                0, 60,
                48,  // properties
                0x11, 0, 0, 0, 120,  // Session Expiry Interval
                0x21, 0, 20,  // Receive Maximum
                0x27, 0, 1, 0, 0,  // Maximum Packet Size
                0x22, 0, 10,  // Topic Alias Maximum
                0x19, 1,  // Request Response Information
                0x17, 0,  // Request Problem Information
                0x26, 0, 2, "ab", 0, 2, "cd",  // User Property
                0x15, 0, 5, "SCRAM",  // Authentication Method
                0x16, 0, 3, 1, 2, 3,  // Authentication Data
                0x26, 0, 0, 0, 0,  // User Property, empty
                0, 3, "abc",
                39,  // properties of the will
                0x18, 0, 0, 0, 5,  // Will Delay Interval
                0x01, 1,  // Payload Format Indicator
                0x02, 0, 0, 0, 9,  // Message Expiry Interval
                0x03, 0, 1, "t",  // Content Type
                0x08, 0, 1, "r",  // Response Topic
                0x09, 0, 1, 0xC0,  // Correlation Data
                0x26, 0, 1, "k", 0, 1, "v",  // User Property
                0x26, 0, 1, "k", 0, 2, "v2",  // User Property with the same name
                0, 1, "w",  // will topic
                0, 2, "hi",  // will payload
                0, 2, "me",  // user name
                0, 2, 0xFF, 0x00,  // password, any bytes
            ],
            .packet(
                .connect(
                    Connect(
                        clientIdentifier: "abc", username: "me",
                        password: MQTTPassword(bytes: ByteBuffer(bytes: [0xFF, 0])),
                        will: Connect.Will(
                            topic: "w", payload: .text("hi"), qos: .exactlyOnce, retain: true,
                            properties: Properties([
                                .willDelayInterval(5), .payloadFormatIndicator(1), .messageExpiryInterval(9),
                                .contentType("t"), .responseTopic("r"), .correlationData(ByteBuffer(bytes: [0xC0])),
                                .userProperty(UserProperty("k", "v")), .userProperty(UserProperty("k", "v2")),
                            ])
                        ),
                        properties: Properties([
                            .sessionExpiryInterval(120), .receiveMaximum(20), .maximumPacketSize(65_536),
                            .topicAliasMaximum(10), .requestResponseInformation(true),
                            .requestProblemInformation(false),
                            .userProperty(UserProperty("ab", "cd")), .authenticationMethod("SCRAM"),
                            .authenticationData(ByteBuffer(bytes: [1, 2, 3])), .userProperty(UserProperty("", "")),
                        ])
                    )
                )
            )
        ),
        Vector(
            "CONNECT of 3.1.1 with everything", [.v3_1_1], from: .client,
            [
                0x10, 30,
                0, 4, "MQTT", 4,
                0b1110_1110,  // user name, password, will: retained, QoS 1; Clean Session
                0, 60,
                0, 3, "abc",
                0, 1, "w",
                0, 2, "hi",
                0, 2, "me",
                0, 2, "pw",
            ],
            .packet(
                .connect(
                    Connect(
                        version: .v3_1_1, clientIdentifier: "abc", username: "me", password: "pw",
                        will: Connect.Will(topic: "w", payload: .text("hi"), qos: .atLeastOnce, retain: true)
                    )
                )
            )
        ),
        // [MQTT-3.1.2-18]
        Vector(
            "CONNECT of 5.0 with a password alone", from: .client,
            [0x10, 17, 0, 4, "MQTT", 5, 0b0100_0010, 0, 60, 0, 0, 1, "a", 0, 1, "p"],
            .packet(.connect(Connect(clientIdentifier: "a", password: "p")))
        ),
        Vector(
            "CONNECT before 5.0 with a password alone", .before5, from: .client,
            [0x10, 16, 0, 4, "MQTT", 4, 0b0100_0010, 0, 60, 0, 1, "a", 0, 1, "p"], .error(.connectFlags)
        ),
        Vector(
            "CONNECT of 3.1 whose user name and password are missing", [.v3_1], from: .client,
            [0x10, 15, 0, 6, "MQIsdp", 3, 0b1100_0010, 0, 60, 0, 1, "a"],
            .lenient(.connect(Connect(version: .v3_1, clientIdentifier: "a")))
        ),
        Vector(
            "CONNECT whose user name is missing", from: .client,
            [0x10, 14, 0, 4, "MQTT", 5, 0b1000_0010, 0, 60, 0, 0, 1, "a"], .error(.truncated(.connect))
        ),
        // [MQTT-3.1.2-20]
        Vector(
            "CONNECT with a password and no flag for it", from: .client,
            [0x10, 17, 0, 4, "MQTT", 5, 0b0000_0010, 0, 60, 0, 0, 1, "a", 0, 1, "p"], .error(.trailingBytes(.connect))
        ),
        // [MQTT-3.1.3-3]
        Vector(
            "CONNECT that ends before the client identifier", from: .client,
            [0x10, 11, 0, 4, "MQTT", 5, 2, 0, 60, 0], .error(.truncated(.connect))
        ),
        // [MQTT-3.1.2-1]
        Vector(
            "CONNECT of another protocol", .all, from: .client, [0x10, 13, 0, 4, "mqtt", 5, 2, 0, 60, 0, 0, 0],
            .error(.protocolName)
        ),
        // [MQTT-3.1.2-2]
        Vector(
            "CONNECT of version 6", .all, from: .client, [0x10, 13, 0, 4, "MQTT", 6, 2, 0, 60, 0, 0, 0],
            .error(.protocolVersion(6))
        ),
        Vector(
            "CONNECT of 3.1 under the later name", .all, from: .client, [0x10, 12, 0, 4, "MQTT", 3, 2, 0, 60, 0, 0],
            .error(.protocolVersion(3))
        ),
        Vector(
            "CONNECT of a mosquitto bridge, whose level has a private bit", [.v3_1_1], from: .client,
            [0x10, 13, 0, 4, "MQTT", 0x84, 2, 0, 60, 0, 1, "b"], .packet(.connect(Self.bridge(.v3_1_1)))
        ),
        Vector(
            "CONNECT of a mosquitto bridge that speaks 3.1", [.v3_1], from: .client,
            [0x10, 15, 0, 6, "MQIsdp", 0x83, 2, 0, 60, 0, 1, "b"], .packet(.connect(Self.bridge(.v3_1)))
        ),
        Vector(
            "CONNECT of 5.0 with the private bit of bridges", .all, from: .client,
            [0x10, 13, 0, 4, "MQTT", 0x85, 2, 0, 60, 0, 0, 0], .error(.protocolVersion(0x85))
        ),
        // [MQTT-3.1.2-3]
        Vector(
            "CONNECT with the reserved flag", .all, from: .client, [0x10, 12, 0, 4, "MQTT", 4, 0b11, 0, 60, 0, 0],
            .error(.reservedBits(.connect))
        ),
        // [MQTT-3.1.2-11] [MQTT-3.1.2-13]
        Vector(
            "CONNECT with a QoS for no will", .all, from: .client,
            [0x10, 12, 0, 4, "MQTT", 4, 0b0000_1010, 0, 60, 0, 0], .error(.connectFlags)
        ),
        // [MQTT-3.1.2-15]
        Vector(
            "CONNECT that retains no will", .all, from: .client, [0x10, 12, 0, 4, "MQTT", 4, 0b0010_0010, 0, 60, 0, 0],
            .error(.connectFlags)
        ),
        // [MQTT-3.1.2-14]
        Vector(
            "CONNECT with a will of QoS 3", .all, from: .client,
            [0x10, 18, 0, 4, "MQTT", 4, 0b0001_1110, 0, 60, 0, 0, 0, 1, "w", 0, 1, "p"], .error(.connectFlags)
        ),
        // [MQTT-3.1.3-9]
        Vector(
            "CONNECT whose will has a wildcard", .all, from: .client,
            [0x10, 18, 0, 4, "MQTT", 4, 0b0000_0110, 0, 60, 0, 0, 0, 1, "#", 0, 1, "p"], .error(.topicName(.connect))
        ),
        // [MQTT-3.1.3-4]
        Vector(
            "CONNECT whose client identifier is not UTF-8", .all, from: .client,
            [0x10, 13, 0, 4, "MQTT", 4, 2, 0, 60, 0, 1, 0xFF], .error(.text(.connect))
        ),
        // [MQTT-3.1.3-10]
        Vector(
            "CONNECT whose user name is not UTF-8", .all, from: .client,
            [0x10, 16, 0, 4, "MQTT", 4, 0b1000_0010, 0, 60, 0, 1, "a", 0, 1, 0xC0], .error(.text(.connect))
        ),
        Vector(
            "CONNECT from a server", .all, from: .server, [0x10, 12, 0, 4, "MQTT", 4, 2, 0, 60, 0, 0],
            .error(.unexpectedPacket(.connect))
        ),
        Vector(
            "CONNECT with authentication data of no method", from: .client,
            [0x10, 17, 0, 4, "MQTT", 5, 2, 0, 60, 4, 0x16, 0, 1, 9, 0, 0],
            .error(.missingProperty(.authenticationMethod, .connect))
        ),
        Vector(
            "CONNECT with a will delay outside the will", from: .client,
            [0x10, 18, 0, 4, "MQTT", 5, 2, 0, 60, 5, 0x18, 0, 0, 0, 1, 0, 0],
            .error(.misplacedProperty(.willDelayInterval, .connect))
        ),
    ]

    static let connack: [Vector] = [
        Vector("CONNACK before 5.0", .before5, from: .server, [0x20, 2, 0, 0], .packet(.connack(ConnAck()))),
        Vector(
            "CONNACK with a session", [.v3_1_1], from: .server, [0x20, 2, 1, 0],
            .packet(.connack(ConnAck(sessionPresent: true)))
        ),
        Vector(
            "CONNACK of a server that tells 3.1 clients of their session", [.v3_1], from: .server, [0x20, 2, 1, 0],
            .lenient(.connack(ConnAck(sessionPresent: true)))
        ),
        Vector(
            "return code 1", .before5, from: .server, [0x20, 2, 0, 1],
            .packet(.connack(ConnAck(reasonCode: .unsupportedProtocolVersion)))
        ),
        Vector(
            "return code 1 of a server that does not know 5.0", [.v5_0], from: .server, [0x20, 2, 0, 1],
            .lenient(.connack(ConnAck(reasonCode: .unsupportedProtocolVersion)))
        ),
        Vector(
            "return code 2", .before5, from: .server, [0x20, 2, 0, 2],
            .packet(.connack(ConnAck(reasonCode: .clientIdentifierNotValid)))
        ),
        Vector(
            "return code 3", .before5, from: .server, [0x20, 2, 0, 3],
            .packet(.connack(ConnAck(reasonCode: .serverUnavailable)))
        ),
        Vector(
            "return code 4", .before5, from: .server, [0x20, 2, 0, 4],
            .packet(.connack(ConnAck(reasonCode: .badUserNameOrPassword)))
        ),
        Vector(
            "return code 5", .before5, from: .server, [0x20, 2, 0, 5],
            .packet(.connack(ConnAck(reasonCode: .notAuthorized)))
        ),
        Vector("return code 6", .before5, from: .server, [0x20, 2, 0, 6], .error(.reasonCode(6, .connack))),
        Vector("CONNACK of 5.0", from: .server, [0x20, 3, 1, 0, 0], .packet(.connack(ConnAck(sessionPresent: true)))),
        Vector(
            "CONNACK of 5.0 with everything", from: .server,
            [
                0x20, 71,
                0,  // no session
                0x00,  // success
                68,  // properties
                0x11, 0, 0, 0, 120,  // Session Expiry Interval
                0x21, 0, 20,  // Receive Maximum
                0x24, 1,  // Maximum QoS
                0x25, 0,  // Retain Available
                0x27, 0, 1, 0, 0,  // Maximum Packet Size
                0x12, 0, 3, "xyz",  // Assigned Client Identifier
                0x22, 0, 10,  // Topic Alias Maximum
                0x1F, 0, 2, "ok",  // Reason String
                0x26, 0, 1, "k", 0, 1, "v",  // User Property
                0x28, 0,  // Wildcard Subscription Available
                0x29, 1,  // Subscription Identifier Available
                0x2A, 0,  // Shared Subscription Available
                0x13, 0, 30,  // Server Keep Alive
                0x1A, 0, 4, "resp",  // Response Information
                0x1C, 0, 1, "s",  // Server Reference
                0x15, 0, 3, "OTP",  // Authentication Method
                0x16, 0, 1, 0,  // Authentication Data
            ],
            .packet(
                .connack(
                    ConnAck(
                        properties: Properties([
                            .sessionExpiryInterval(120), .receiveMaximum(20), .maximumQoS(.atLeastOnce),
                            .retainAvailable(false), .maximumPacketSize(65_536), .assignedClientIdentifier("xyz"),
                            .topicAliasMaximum(10), .reasonString("ok"), .userProperty(UserProperty("k", "v")),
                            .wildcardSubscriptionAvailable(false), .subscriptionIdentifierAvailable(true),
                            .sharedSubscriptionAvailable(false), .serverKeepAlive(30), .responseInformation("resp"),
                            .serverReference("s"), .authenticationMethod("OTP"),
                            .authenticationData(ByteBuffer(bytes: [0])),
                        ])
                    )
                )
            )
        ),
        Vector(
            "CONNACK that refuses", from: .server, [0x20, 3, 0, 0x8A, 0],
            .packet(.connack(ConnAck(reasonCode: .banned)))
        ),
        // [MQTT-3.2.2-1]
        Vector("CONNACK with a reserved bit", .all, from: .server, [0x20, 2, 2, 0], .error(.reservedBits(.connack))),
        // [MQTT-3.2.2-6]
        Vector(
            "CONNACK that refuses a session that is present", from: .server, [0x20, 3, 1, 0x87, 0],
            .error(.sessionPresentWhenRefused)
        ),
        // [MQTT-3.2.2-8]
        Vector(
            "CONNACK with the reason of another packet", from: .server, [0x20, 3, 0, 0x8E, 0],
            .error(.reasonCode(0x8E, .connack))
        ),
        Vector("CONNACK of 5.0 without a list", from: .server, [0x20, 2, 0, 0], .error(.truncated(.connack))),
        Vector("CONNACK without anything", .all, from: .server, [0x20, 0], .error(.truncated(.connack))),
        Vector(
            "CONNACK before 5.0 with a byte too many", .before5, from: .server, [0x20, 3, 0, 0, 0],
            .error(.trailingBytes(.connack))
        ),
        Vector("CONNACK from a client", .all, from: .client, [0x20, 2, 0, 0], .error(.unexpectedPacket(.connack))),
    ]
}

extension Vector {
    private static func bridge(_ version: ProtocolVersion) -> Connect {
        var connect = Connect(version: version, clientIdentifier: "b")
        connect.isBridge = true
        return connect
    }
}

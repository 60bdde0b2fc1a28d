import CurlewCore
import NIOCore

extension Vector {
    /// The fixed header.
    static let framing: [Vector] = [
        Vector("PINGREQ", .all, from: .client, [0xC0, 0], .packet(.pingreq)),
        Vector("PINGRESP", .all, from: .server, [0xD0, 0], .packet(.pingresp)),
        Vector("PINGREQ with a byte too many", .all, from: .client, [0xC0, 1, 0], .error(.trailingBytes(.pingreq))),
        Vector("PINGRESP with a byte too many", .all, from: .server, [0xD0, 1, 0], .error(.trailingBytes(.pingresp))),
        Vector("PINGREQ from a server", .all, from: .server, [0xC0, 0], .error(.unexpectedPacket(.pingreq))),
        Vector("PINGRESP from a client", .all, from: .client, [0xD0, 0], .error(.unexpectedPacket(.pingresp))),
        Vector("packet type 0", .all, from: .both, [0x00, 0], .error(.unknownPacketType(0))),
        Vector("AUTH before there was one", .before5, from: .both, [0xF0, 0], .error(.unknownPacketType(15))),
        // The first bytes of other protocols are refused at once.
        Vector("GET of HTTP", .all, from: .client, ["GET / HTTP/1.1"], .error(.reservedBits(.puback))),
        Vector("ClientHello of TLS", .all, from: .client, [0x16, 3, 1, 0, 5], .error(.reservedBits(.connect))),

        // [MQTT-2.1.3-1]
        Vector("CONNECT with a flag", .all, from: .client, [0x11, 0], .error(.reservedBits(.connect))),
        Vector("CONNACK with a flag", .all, from: .server, [0x28, 2, 0, 0], .error(.reservedBits(.connack))),
        Vector("PUBACK with a flag", .all, from: .both, [0x42, 2, 0, 1], .error(.reservedBits(.puback))),
        Vector("PUBREC with a flag", .all, from: .both, [0x51, 2, 0, 1], .error(.reservedBits(.pubrec))),
        Vector("PUBCOMP with a flag", .all, from: .both, [0x74, 2, 0, 1], .error(.reservedBits(.pubcomp))),
        Vector("SUBACK with a flag", .all, from: .server, [0x92, 3, 0, 1, 0], .error(.reservedBits(.suback))),
        Vector("UNSUBACK with a flag", .all, from: .server, [0xB2, 2, 0, 1], .error(.reservedBits(.unsuback))),
        Vector("PINGREQ with a flag", .all, from: .client, [0xC8, 0], .error(.reservedBits(.pingreq))),
        Vector("PINGRESP with a flag", .all, from: .server, [0xD1, 0], .error(.reservedBits(.pingresp))),
        // [MQTT-3.14.1-1]
        Vector("DISCONNECT with a flag", .all, from: .client, [0xE2, 0], .error(.reservedBits(.disconnect))),
        // [MQTT-3.15.1-1]
        Vector("AUTH with a flag", from: .both, [0xF4, 0], .error(.reservedBits(.auth))),
        // [MQTT-3.6.1-1]
        Vector("PUBREL without its flag", .all, from: .both, [0x60, 2, 0, 1], .error(.reservedBits(.pubrel))),
        Vector("PUBREL with RETAIN", .all, from: .both, [0x63, 2, 0, 1], .error(.reservedBits(.pubrel))),
        Vector("PUBREL with DUP", [.v3_1_1, .v5_0], from: .both, [0x6A, 2, 0, 1], .error(.reservedBits(.pubrel))),
        // [MQTT-3.8.1-1]
        Vector("SUBSCRIBE without its flag", .all, from: .client, [0x80, 0], .error(.reservedBits(.subscribe))),
        // [MQTT-3.10.1-1]
        Vector("UNSUBSCRIBE without its flag", .all, from: .client, [0xA0, 0], .error(.reservedBits(.unsubscribe))),

        // [MQTT-1.5.5-1]
        Vector(
            "a remaining length of 0 in two bytes", .all, from: .client, [0xC0, 0x80, 0x00],
            .error(.variableByteInteger)
        ),
        Vector(
            "a remaining length of 127 in four bytes", .all, from: .both, [0x30, 0xFF, 0x80, 0x80, 0x00],
            .error(.variableByteInteger)
        ),
        Vector(
            "a remaining length of five bytes", .all, from: .both, [0x30, 0x80, 0x80, 0x80, 0x80, 0x01],
            .error(.variableByteInteger)
        ),
        Vector(
            "a remaining length that never ends", .all, from: .both, [0x30, 0xFF, 0xFF, 0xFF, 0xFF],
            .error(.variableByteInteger)
        ),
        // The tests' decoders accept at most 100,000 bytes. The body is missing.
        Vector(
            "the largest remaining length", .all, from: .both, [0x30, 0xFF, 0xFF, 0xFF, 0x7F],
            .error(.packetTooLarge(size: 268_435_460, maximum: 100_000))
        ),
        Vector(
            "a packet one byte too large", .all, from: .both, [0x30, 0x9D, 0x8D, 0x06],
            .error(.packetTooLarge(size: 100_001, maximum: 100_000))
        ),
    ]

    /// DISCONNECT and AUTH.
    static let endings: [Vector] = [
        Vector("DISCONNECT", .all, from: .client, [0xE0, 0], .packet(.disconnect(Disconnect()))),
        Vector("DISCONNECT of a server", from: .server, [0xE0, 0], .packet(.disconnect(Disconnect()))),
        Vector(
            "DISCONNECT of a server before 5.0", .before5, from: .server, [0xE0, 0],
            .error(.unexpectedPacket(.disconnect))
        ),
        Vector(
            "DISCONNECT with a reason before 5.0", .before5, from: .client, [0xE0, 1, 4],
            .error(.trailingBytes(.disconnect))
        ),
        Vector(
            "DISCONNECT with a reason alone", from: .both, [0xE0, 1, 0x81],
            .packet(.disconnect(Disconnect(reasonCode: .malformedPacket)))
        ),
        Vector(
            "DISCONNECT with a reason and an empty list", from: .both, [0xE0, 2, 0x00, 0],
            .lenient(.disconnect(Disconnect()))
        ),
        Vector(
            "DISCONNECT with everything a client can say", from: .client,
            [
                0xE0, 23,
                0x04,  // with will message
                21,  // properties
                0x11, 0, 0, 0, 10,  // Session Expiry Interval
                0x1F, 0, 4, "done",  // Reason String
                0x26, 0, 2, "ab", 0, 2, "cd",  // User Property
            ],
            .packet(
                .disconnect(
                    Disconnect(
                        reasonCode: .disconnectWithWillMessage,
                        properties: Properties([
                            .sessionExpiryInterval(10), .reasonString("done"), .userProperty(UserProperty("ab", "cd")),
                        ])
                    )
                )
            )
        ),
        Vector(
            "DISCONNECT that sends the client to another server", from: .server,
            [
                0xE0, 10,
                0x9C,  // use another server
                8,  // properties
                0x1C, 0, 5, "other",  // Server Reference
            ],
            .packet(
                .disconnect(
                    Disconnect(reasonCode: .useAnotherServer, properties: Properties([.serverReference("other")])))
            )
        ),
        // [MQTT-3.14.2-1]
        Vector(
            "DISCONNECT with the reason of another packet", from: .both, [0xE0, 1, 0x10],
            .error(.reasonCode(0x10, .disconnect))
        ),
        // [MQTT-3.14.2-2]
        Vector(
            "DISCONNECT of a server with a session expiry interval", from: .server,
            [0xE0, 7, 0x00, 5, 0x11, 0, 0, 0, 10],
            .error(.misplacedProperty(.sessionExpiryInterval, .disconnect))
        ),
        Vector(
            "DISCONNECT of a client with a server reference", from: .client, [0xE0, 6, 0x00, 4, 0x1C, 0, 1, "x"],
            .error(.misplacedProperty(.serverReference, .disconnect))
        ),
        Vector(
            "DISCONNECT with a byte too many", from: .both, [0xE0, 3, 0x00, 0, 0], .error(.trailingBytes(.disconnect))
        ),

        Vector("AUTH without anything", from: .both, [0xF0, 0], .packet(.auth(Auth()))),
        Vector(
            "AUTH that goes on", from: .both,
            [
                0xF0, 13,
                0x18,  // continue authentication
                11,  // properties
                0x15, 0, 3, "OTP",  // Authentication Method
                0x16, 0, 2, 0xFF, 0x00,  // Authentication Data
            ],
            .packet(
                .auth(
                    Auth(
                        reasonCode: .continueAuthentication,
                        properties: Properties([
                            .authenticationMethod("OTP"), .authenticationData(ByteBuffer(bytes: [0xFF, 0])),
                        ])
                    )
                )
            )
        ),
        // [MQTT-3.15.2-1]
        Vector(
            "AUTH with the reason of another packet", from: .both, [0xF0, 2, 0x87, 0], .error(.reasonCode(0x87, .auth))
        ),
        Vector(
            "AUTH without a method", from: .both, [0xF0, 2, 0x18, 0],
            .error(.missingProperty(.authenticationMethod, .auth))
        ),
        Vector(
            "AUTH with data of no method", from: .both, [0xF0, 6, 0x18, 4, 0x16, 0, 1, 9],
            .error(.missingProperty(.authenticationMethod, .auth))
        ),
        Vector("AUTH without the length of its list", from: .both, [0xF0, 1, 0x18], .error(.truncated(.auth))),
    ]
}

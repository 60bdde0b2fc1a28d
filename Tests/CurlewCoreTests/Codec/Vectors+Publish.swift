import CurlewCore
import NIOCore

extension Vector {
    static let publish: [Vector] = [
        Vector(
            "PUBLISH at QoS 0", .before5, from: .both,
            [
                0x30, 7,
                0, 3, "a/b",  // topic
                "hi",  // payload
            ],
            .packet(.publish(Publish(topic: "a/b", payload: .text("hi"))))
        ),
        Vector(
            "PUBLISH at QoS 2, sent again, retained", .before5, from: .both,
            [
                0b0011_1101, 7,  // DUP, QoS 2, RETAIN
                0, 3, "a/b",
                0xFF, 0xFE,  // packet identifier
            ],
            .packet(
                .publish(
                    Publish(
                        topic: "a/b", payload: ByteBuffer(), qos: .exactlyOnce, retain: true, dup: true,
                        packetID: id(0xFFFE)
                    )
                )
            )
        ),
        Vector(
            "PUBLISH of 5.0 at QoS 0", from: .both, [0x30, 8, 0, 3, "a/b", 0, "hi"],
            .packet(.publish(Publish(topic: "a/b", payload: .text("hi"))))
        ),
        Vector(
            "PUBLISH of 5.0 with all properties that a client can send", from: .both,
            [
                0x32, 44,
                0, 3, "a/b",
                0, 10,  // packet identifier
                32,  // properties
                0x23, 0, 7,  // Topic Alias
                0x01, 0,  // Payload Format Indicator
                0x02, 0, 0, 0, 9,  // Message Expiry Interval
                0x03, 0, 1, "t",  // Content Type
                0x08, 0, 4, "r/é",  // Response Topic
                0x09, 0, 0,  // Correlation Data, empty
                0x26, 0, 1, "k", 0, 2, "v1",  // User Property
                0xFF, 0x00, 0x00, 0x00,  // payload
            ],
            .packet(
                .publish(
                    Publish(
                        topic: "a/b", topicAlias: 7, payload: ByteBuffer(bytes: [0xFF, 0, 0, 0]), qos: .atLeastOnce,
                        packetID: id(10),
                        properties: Properties([
                            .payloadFormatIndicator(0), .messageExpiryInterval(9), .contentType("t"),
                            .responseTopic("r/é"),
                            .correlationData(ByteBuffer()), .userProperty(UserProperty("k", "v1")),
                        ])
                    )
                )
            )
        ),
        // [MQTT-3.3.4-4]
        Vector(
            "PUBLISH with the identifiers of several subscriptions", from: .server,
            [0x30, 13, 0, 1, "a", 9, 0x0B, 1, 0x0B, 0xFF, 0xFF, 0xFF, 0x7F, 0x0B, 1],
            .packet(
                .publish(
                    Publish(
                        topic: "a", payload: ByteBuffer(),
                        properties: Properties([
                            .subscriptionIdentifier(1), .subscriptionIdentifier(268_435_455),
                            .subscriptionIdentifier(1),
                        ])
                    )
                )
            )
        ),
        Vector(
            "PUBLISH that an alias alone tells", from: .both, [0x30, 7, 0, 0, 3, 0x23, 0xFF, 0xFF, "x"],
            .packet(.publish(Publish(topic: nil, topicAlias: 65_535, payload: .text("x"))))
        ),
        Vector(
            "PUBLISH whose alias comes after another property", from: .both,
            [0x30, 8, 0, 0, 5, 0x01, 1, 0x23, 0, 1],
            .lenient(
                .publish(
                    Publish(
                        topic: nil, topicAlias: 1, payload: ByteBuffer(),
                        properties: Properties([.payloadFormatIndicator(1)])
                    )
                )
            )
        ),
        // [MQTT-1.5.4-3]
        Vector(
            "PUBLISH to a topic that begins with a byte order mark", .before5, from: .both,
            [0x30, 6, 0, 4, 0xEF, 0xBB, 0xBF, "a"],
            .packet(.publish(Publish(topic: "\u{FEFF}a", payload: ByteBuffer())))
        ),
        Vector(
            "PUBLISH to a topic of all planes", .before5, from: .both,
            [0x30, 12, 0, 10, "é", "鷸", "\u{1F426}", 0x7F],
            .packet(.publish(Publish(topic: "é鷸\u{1F426}\u{7F}", payload: ByteBuffer())))
        ),

        // [MQTT-3.3.1-2]
        Vector("PUBLISH at QoS 0 with DUP", .all, from: .both, [0x38, 4, 0, 1, "a", 0], .error(.dupAtQoS0)),
        // [MQTT-3.3.1-4]
        Vector("PUBLISH at QoS 3", .all, from: .both, [0x36, 6, 0, 1, "a", 0, 1, 0], .error(.qos)),
        // [MQTT-2.2.1-3] [MQTT-2.2.1-4]
        Vector(
            "PUBLISH with packet identifier 0", .all, from: .both, [0x32, 6, 0, 1, "a", 0, 0, 0],
            .error(.packetIDZero(.publish))
        ),
        Vector(
            "PUBLISH without a packet identifier", .all, from: .both, [0x34, 4, 0, 1, "a", 0],
            .error(.truncated(.publish))),
        // [MQTT-3.3.2-1]
        Vector("PUBLISH without anything", .all, from: .both, [0x30, 0], .error(.truncated(.publish))),
        Vector(
            "PUBLISH that ends in its topic", .all, from: .both, [0x30, 4, 0, 3, "ab"], .error(.truncated(.publish))),
        // [MQTT-4.7.3-1]
        Vector(
            "PUBLISH to an empty topic", .before5, from: .both, [0x30, 4, 0, 0, "hi"], .error(.topicName(.publish))
        ),
        Vector("PUBLISH with neither topic nor alias", from: .both, [0x30, 4, 0, 0, 0, "x"], .error(.missingTopic)),
        // [MQTT-3.3.2-2] [MQTT-4.7.0-1]
        Vector("PUBLISH to a/#", .all, from: .both, [0x30, 6, 0, 3, "a/#", 0], .error(.topicName(.publish))),
        Vector("PUBLISH to +", .all, from: .both, [0x30, 4, 0, 1, "+", 0], .error(.topicName(.publish))),
        // [MQTT-1.5.4-1]
        Vector(
            "PUBLISH to a lone surrogate", .all, from: .both, [0x30, 6, 0, 3, 0xED, 0xA0, 0x80, 0],
            .error(.text(.publish))),
        Vector(
            "PUBLISH to an overlong slash", .all, from: .both, [0x30, 5, 0, 2, 0xC0, 0xAF, 0], .error(.text(.publish))),
        Vector(
            "PUBLISH to a broken character", .all, from: .both, [0x30, 5, 0, 2, 0xE9, 0xB7, 0], .error(.text(.publish))),
        Vector(
            "PUBLISH beyond the last plane", .all, from: .both, [0x30, 7, 0, 4, 0xF4, 0x90, 0x80, 0x80, 0],
            .error(.text(.publish))
        ),
        // [MQTT-1.5.4-2] [MQTT-4.7.3-2]
        Vector(
            "PUBLISH to a null character", .all, from: .both, [0x30, 6, 0, 3, "a", 0, "b", 0], .error(.text(.publish))),
        // [MQTT-3.3.2-8]
        Vector(
            "PUBLISH with topic alias 0", from: .both, [0x30, 7, 0, 1, "a", 3, 0x23, 0, 0],
            .error(.propertyValue(.topicAlias, .publish))
        ),
        Vector(
            "PUBLISH with two aliases", from: .both, [0x30, 10, 0, 1, "a", 6, 0x23, 0, 1, 0x23, 0, 1],
            .error(.repeatedProperty(.topicAlias, .publish))
        ),
        // [MQTT-3.3.4-6]
        Vector(
            "PUBLISH of a client with a subscription identifier", from: .client, [0x30, 6, 0, 1, "a", 2, 0x0B, 1],
            .error(.misplacedProperty(.subscriptionIdentifier, .publish))
        ),
        Vector(
            "PUBLISH with subscription identifier 0", from: .server, [0x30, 6, 0, 1, "a", 2, 0x0B, 0],
            .error(.propertyValue(.subscriptionIdentifier, .publish))
        ),
        // [MQTT-3.3.2-14]
        Vector(
            "PUBLISH with a wildcard in its response topic", from: .both, [0x30, 8, 0, 1, "a", 4, 0x08, 0, 1, "+"],
            .error(.topicName(.publish))
        ),
        // [MQTT-3.3.2-13]
        Vector(
            "PUBLISH whose response topic is not UTF-8", from: .both, [0x30, 8, 0, 1, "a", 4, 0x08, 0, 1, 0xFE],
            .error(.text(.publish))
        ),
        // [MQTT-3.3.2-19]
        Vector(
            "PUBLISH whose content type is not UTF-8", from: .both, [0x30, 8, 0, 1, "a", 4, 0x03, 0, 1, 0x80],
            .error(.text(.publish))
        ),
        // [MQTT-2.2.2-1]
        Vector("PUBLISH of 5.0 without a list", from: .both, [0x30, 3, 0, 1, "a"], .error(.truncated(.publish))),
    ]

    static let acknowledgements: [Vector] = [
        Vector("PUBACK", .all, from: .both, [0x40, 2, 0x12, 0x34], .packet(.puback(Acknowledgement(id(0x1234))))),
        Vector("PUBREC", .all, from: .both, [0x50, 2, 0xFF, 0xFF], .packet(.pubrec(Acknowledgement(id(0xFFFF))))),
        Vector("PUBREL", .all, from: .both, [0x62, 2, 0, 1], .packet(.pubrel(Acknowledgement(id(1))))),
        Vector("PUBCOMP", .all, from: .both, [0x70, 2, 1, 0], .packet(.pubcomp(Acknowledgement(id(256))))),
        Vector(
            "PUBREL of 3.1, sent again", [.v3_1], from: .both, [0x6A, 2, 0, 1],
            .lenient(.pubrel(Acknowledgement(id(1))))),
        Vector(
            "PUBACK that nobody gets", from: .both, [0x40, 3, 0, 1, 0x10],
            .packet(.puback(Acknowledgement(id(1), reasonCode: .noMatchingSubscribers)))
        ),
        Vector(
            "PUBACK that says success at length", from: .both, [0x40, 4, 0, 1, 0x00, 0],
            .lenient(.puback(Acknowledgement(id(1))))
        ),
        Vector(
            "PUBACK with success and a reason", from: .both, [0x40, 9, 0, 1, 0x00, 5, 0x1F, 0, 2, "ok"],
            .packet(.puback(Acknowledgement(id(1), properties: Properties([.reasonString("ok")]))))
        ),
        Vector(
            "PUBREC with everything", from: .both,
            [0x50, 16, 0, 1, 0x97, 12, 0x1F, 0, 2, "no", 0x26, 0, 1, "k", 0, 1, "v"],
            .packet(
                .pubrec(
                    Acknowledgement(
                        id(1), reasonCode: .quotaExceeded,
                        properties: Properties([.reasonString("no"), .userProperty(UserProperty("k", "v"))])
                    )
                )
            )
        ),
        Vector(
            "PUBREL of an unknown packet", from: .both, [0x62, 3, 0, 1, 0x92],
            .packet(.pubrel(Acknowledgement(id(1), reasonCode: .packetIdentifierNotFound)))
        ),
        Vector(
            "PUBCOMP of an unknown packet", from: .both, [0x70, 3, 0, 1, 0x92],
            .packet(.pubcomp(Acknowledgement(id(1), reasonCode: .packetIdentifierNotFound)))
        ),
        // [MQTT-2.2.1-5]
        Vector("PUBACK of packet 0", .all, from: .both, [0x40, 2, 0, 0], .error(.packetIDZero(.puback))),
        Vector("PUBREC of packet 0", .all, from: .both, [0x50, 2, 0, 0], .error(.packetIDZero(.pubrec))),
        Vector("PUBREL of packet 0", .all, from: .both, [0x62, 2, 0, 0], .error(.packetIDZero(.pubrel))),
        Vector("PUBCOMP of packet 0", .all, from: .both, [0x70, 2, 0, 0], .error(.packetIDZero(.pubcomp))),
        Vector("PUBACK of half a packet identifier", .all, from: .both, [0x40, 1, 1], .error(.truncated(.puback))),
        Vector(
            "PUBACK with a reason before 5.0", .before5, from: .both, [0x40, 3, 0, 1, 0],
            .error(.trailingBytes(.puback))),
        Vector("PUBACK with a byte too many", from: .both, [0x40, 5, 0, 1, 0, 0, 0], .error(.trailingBytes(.puback))),
        // [MQTT-3.4.2-1]
        Vector(
            "PUBACK with the reason of PUBREL", from: .both, [0x40, 3, 0, 1, 0x92], .error(.reasonCode(0x92, .puback))),
        // [MQTT-3.5.2-1]
        Vector(
            "PUBREC with an unknown reason", from: .both, [0x50, 3, 0, 1, 0x7F], .error(.reasonCode(0x7F, .pubrec))),
        // [MQTT-3.6.2-1]
        Vector(
            "PUBREL with the reason of PUBACK", from: .both, [0x62, 3, 0, 1, 0x10], .error(.reasonCode(0x10, .pubrel))),
        // [MQTT-3.7.2-1]
        Vector(
            "PUBCOMP with the reason of PUBACK", from: .both, [0x70, 3, 0, 1, 0x87], .error(.reasonCode(0x87, .pubcomp))
        ),
        Vector(
            "PUBACK with a property of PUBLISH", from: .both, [0x40, 6, 0, 1, 0, 2, 0x01, 1],
            .error(.misplacedProperty(.payloadFormatIndicator, .puback))
        ),
    ]
}

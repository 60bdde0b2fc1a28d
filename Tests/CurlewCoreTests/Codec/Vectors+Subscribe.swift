import CurlewCore
import NIOCore

extension Vector {
    /// SUBSCRIBE and SUBACK.
    static let subscribe: [Vector] = [
        Vector(
            "SUBSCRIBE before 5.0", .before5, from: .client,
            [
                0x82, 12,
                0, 10,  // packet identifier
                0, 3, "a/+", 1,  // filter and QoS
                0, 1, "#", 0,
            ],
            .packet(
                .subscribe(
                    Subscribe(
                        id(10),
                        [
                            .init("a/+", SubscriptionOptions(qos: .atLeastOnce)),
                            .init("#", SubscriptionOptions(qos: .atMostOnce)),
                        ]
                    )
                )
            )
        ),
        Vector(
            "SUBSCRIBE of 3.1, sent again", [.v3_1], from: .client, [0x8A, 6, 0, 1, 0, 1, "a", 2],
            .lenient(.subscribe(Subscribe(id(1), [.init("a")])))
        ),
        // [MQTT-3.8.3-3]
        Vector(
            "SUBSCRIBE of 5.0 with all options", from: .client,
            [
                0x82, 34,
                0, 10,
                10,  // properties
                0x0B, 0x80, 0x01,  // Subscription Identifier 128
                0x26, 0, 1, "k", 0, 1, "v",  // User Property
                0, 3, "a/+", 0b0010_1110,  // retain handling 2, retain as published, no local, QoS 2
                0, 12, "$share/g/a/b", 0b0001_1001,  // retain handling 1, retain as published, QoS 1
            ],
            .packet(
                .subscribe(
                    Subscribe(
                        id(10),
                        [
                            .init(
                                "a/+",
                                SubscriptionOptions(noLocal: true, retainAsPublished: true, retainHandling: .doNotSend)
                            ),
                            .init(
                                "$share/g/a/b",
                                SubscriptionOptions(
                                    qos: .atLeastOnce, retainAsPublished: true, retainHandling: .sendIfNew)
                            ),
                        ],
                        properties: Properties([.subscriptionIdentifier(128), .userProperty(UserProperty("k", "v"))])
                    )
                )
            )
        ),
        // [MQTT-3.8.3-2]
        Vector(
            "SUBSCRIBE to nothing before 5.0", .before5, from: .client, [0x82, 2, 0, 1], .error(.noEntries(.subscribe))),
        Vector("SUBSCRIBE to nothing", from: .client, [0x82, 3, 0, 1, 0], .error(.noEntries(.subscribe))),
        Vector(
            "SUBSCRIBE without options", .before5, from: .client, [0x82, 5, 0, 1, 0, 1, "a"],
            .error(.truncated(.subscribe))
        ),
        // [MQTT-2.2.1-3]
        Vector(
            "SUBSCRIBE with packet identifier 0", .all, from: .client, [0x82, 7, 0, 0, 0, 0, 1, "a", 0],
            .error(.packetIDZero(.subscribe))
        ),
        // [MQTT-3.8.3-5]
        Vector(
            "SUBSCRIBE with a reserved bit", from: .client, [0x82, 7, 0, 1, 0, 0, 1, "a", 0x40],
            .error(.reservedBits(.subscribe))
        ),
        Vector(
            "SUBSCRIBE with a reserved bit beside the QoS", .before5, from: .client, [0x82, 6, 0, 1, 0, 1, "a", 0x04],
            .error(.reservedBits(.subscribe))
        ),
        Vector(
            "SUBSCRIBE at QoS 3", .before5, from: .client, [0x82, 6, 0, 1, 0, 1, "a", 3], .error(.subscriptionOptions)
        ),
        Vector(
            "SUBSCRIBE of 5.0 at QoS 3", from: .client, [0x82, 7, 0, 1, 0, 0, 1, "a", 3], .error(.subscriptionOptions)
        ),
        Vector(
            "SUBSCRIBE with retain handling 3", from: .client, [0x82, 7, 0, 1, 0, 0, 1, "a", 0x30],
            .error(.subscriptionOptions)
        ),
        // [MQTT-3.8.3-4]
        Vector(
            "SUBSCRIBE to a share without what is local", from: .client, [0x82, 16, 0, 1, 0, 0, 10, "$share/g/a", 4],
            .error(.noLocalOnSharedSubscription)
        ),
        // [MQTT-3.8.3-1]
        Vector(
            "SUBSCRIBE to what is not UTF-8", .before5, from: .client, [0x82, 6, 0, 1, 0, 1, 0xFF, 0],
            .error(.text(.subscribe))
        ),
        // [MQTT-4.7.3-1]
        Vector(
            "SUBSCRIBE to an empty filter", .before5, from: .client, [0x82, 5, 0, 1, 0, 0, 0],
            .error(.topicFilter(.subscribe))
        ),
        // [MQTT-4.7.1-1]
        Vector(
            "SUBSCRIBE to a/#/b", .before5, from: .client, [0x82, 10, 0, 1, 0, 5, "a/#/b", 0],
            .error(.topicFilter(.subscribe))
        ),
        // [MQTT-4.7.1-2]
        Vector(
            "SUBSCRIBE to a+", .before5, from: .client, [0x82, 7, 0, 1, 0, 2, "a+", 0], .error(.topicFilter(.subscribe))
        ),
        // [MQTT-4.8.2-1]
        Vector(
            "SUBSCRIBE to a share without a name", from: .client, [0x82, 15, 0, 1, 0, 0, 9, "$share//a", 0],
            .error(.topicFilter(.subscribe))
        ),
        Vector(
            "SUBSCRIBE with two identifiers", from: .client,
            [0x82, 11, 0, 1, 4, 0x0B, 1, 0x0B, 2, 0, 1, "a", 0],
            .error(.repeatedProperty(.subscriptionIdentifier, .subscribe))
        ),
        Vector("SUBSCRIBE from a server", .all, from: .server, [0x82, 2, 0, 1], .error(.unexpectedPacket(.subscribe))),

        Vector(
            "SUBACK before 5.0", .before5, from: .server, [0x90, 6, 0, 10, 0, 1, 2, 0x80],
            .packet(.suback(SubAck(id(10), [.grantedQoS0, .grantedQoS1, .grantedQoS2, .unspecifiedError])))
        ),
        Vector("SUBACK with QoS 3", .before5, from: .server, [0x90, 3, 0, 1, 3], .error(.reasonCode(3, .suback))),
        Vector(
            "SUBACK before 5.0 with a reason of 5.0", .before5, from: .server, [0x90, 3, 0, 1, 0x87],
            .error(.reasonCode(0x87, .suback))
        ),
        Vector(
            "SUBACK of 5.0", from: .server, [0x90, 10, 0, 10, 5, 0x1F, 0, 2, "ok", 0x02, 0x87],
            .packet(
                .suback(SubAck(id(10), [.grantedQoS2, .notAuthorized], properties: Properties([.reasonString("ok")])))
            )
        ),
        // [MQTT-3.9.3-2]
        Vector(
            "SUBACK with the reason of UNSUBACK", from: .server, [0x90, 4, 0, 1, 0, 0x11],
            .error(.reasonCode(0x11, .suback))
        ),
        // [MQTT-3.8.4-6]
        Vector("SUBACK without a reason code", from: .server, [0x90, 3, 0, 1, 0], .error(.noEntries(.suback))),
        Vector(
            "SUBACK before 5.0 without a return code", .before5, from: .server, [0x90, 2, 0, 1],
            .error(.noEntries(.suback))),
        // [MQTT-2.2.1-6]
        Vector("SUBACK of packet 0", .all, from: .server, [0x90, 4, 0, 0, 0, 0], .error(.packetIDZero(.suback))),
        Vector("SUBACK from a client", .all, from: .client, [0x90, 3, 0, 1, 0], .error(.unexpectedPacket(.suback))),
    ]

    /// UNSUBSCRIBE and UNSUBACK.
    static let unsubscribe: [Vector] = [
        Vector(
            "UNSUBSCRIBE before 5.0", .before5, from: .client, [0xA2, 10, 0, 10, 0, 3, "a/+", 0, 1, "#"],
            .packet(.unsubscribe(Unsubscribe(id(10), [topicFilter("a/+"), topicFilter("#")])))
        ),
        Vector(
            "UNSUBSCRIBE of 3.1, sent again", [.v3_1], from: .client, [0xAA, 5, 0, 1, 0, 1, "a"],
            .lenient(.unsubscribe(Unsubscribe(id(1), [topicFilter("a")])))
        ),
        Vector(
            "UNSUBSCRIBE of 5.0", from: .client, [0xA2, 13, 0, 10, 7, 0x26, 0, 1, "k", 0, 1, "v", 0, 1, "a"],
            .packet(
                .unsubscribe(
                    Unsubscribe(
                        id(10), [topicFilter("a")], properties: Properties([.userProperty(UserProperty("k", "v"))])
                    )
                )
            )
        ),
        // [MQTT-3.10.3-2]
        Vector("UNSUBSCRIBE from nothing", from: .client, [0xA2, 3, 0, 1, 0], .error(.noEntries(.unsubscribe))),
        Vector(
            "UNSUBSCRIBE from nothing before 5.0", .before5, from: .client, [0xA2, 2, 0, 1],
            .error(.noEntries(.unsubscribe))
        ),
        // [MQTT-3.10.3-1]
        Vector(
            "UNSUBSCRIBE from what is not UTF-8", .before5, from: .client, [0xA2, 5, 0, 1, 0, 1, 0xFF],
            .error(.text(.unsubscribe))
        ),
        Vector(
            "UNSUBSCRIBE with packet identifier 0", .all, from: .client, [0xA2, 6, 0, 0, 0, 0, 1, "a"],
            .error(.packetIDZero(.unsubscribe))
        ),
        Vector(
            "UNSUBSCRIBE from ##", .before5, from: .client, [0xA2, 6, 0, 1, 0, 2, "##"],
            .error(.topicFilter(.unsubscribe))
        ),
        Vector(
            "UNSUBSCRIBE from a server", .all, from: .server, [0xA2, 2, 0, 1], .error(.unexpectedPacket(.unsubscribe))),

        Vector("UNSUBACK before 5.0", .before5, from: .server, [0xB0, 2, 0, 10], .packet(.unsuback(UnsubAck(id(10))))),
        Vector(
            "UNSUBACK of 5.0", from: .server, [0xB0, 5, 0, 10, 0, 0x00, 0x11],
            .packet(.unsuback(UnsubAck(id(10), [.success, .noSubscriptionExisted])))
        ),
        // [MQTT-3.11.3-2]
        Vector(
            "UNSUBACK with the reason of SUBACK", from: .server, [0xB0, 4, 0, 1, 0, 0x01],
            .error(.reasonCode(1, .unsuback))
        ),
        // [MQTT-3.11.3-1]
        Vector("UNSUBACK without a reason code", from: .server, [0xB0, 3, 0, 1, 0], .error(.noEntries(.unsuback))),
        Vector(
            "UNSUBACK before 5.0 with a reason code", .before5, from: .server, [0xB0, 3, 0, 1, 0],
            .error(.trailingBytes(.unsuback))
        ),
        // [MQTT-2.2.1-6]
        Vector("UNSUBACK of packet 0", .all, from: .server, [0xB0, 3, 0, 0, 0], .error(.packetIDZero(.unsuback))),
        Vector("UNSUBACK from a client", .all, from: .client, [0xB0, 2, 0, 1], .error(.unexpectedPacket(.unsuback))),
    ]

    /// Property lists, most of them in a CONNACK, which allows the most properties.
    static let properties: [Vector] = [
        Vector(
            "an identifier of no property", from: .server, [0x20, 5, 0, 0, 2, 0x7E, 0], .error(.unknownProperty(0x7E))),
        Vector("identifier 0", from: .server, [0x20, 5, 0, 0, 2, 0x00, 0], .error(.unknownProperty(0))),
        Vector(
            "an identifier of two bytes", from: .server, [0x20, 6, 0, 0, 3, 0x80, 0x02, 0],
            .error(.unknownProperty(256))
        ),
        // [MQTT-1.5.5-1]
        Vector(
            "an identifier that is longer than needed", from: .server, [0x20, 6, 0, 0, 3, 0xA5, 0x00, 0],
            .error(.variableByteInteger)
        ),
        Vector(
            "a list whose length is longer than needed", from: .server, [0x20, 4, 0, 0, 0x80, 0x00],
            .error(.variableByteInteger)
        ),
        Vector("a list beyond the packet", from: .server, [0x20, 4, 0, 0, 2, 0x25], .error(.truncated(.connack))),
        Vector(
            "a property beyond its list", from: .server, [0x20, 6, 0, 0, 2, 0x13, 0, 0], .error(.truncated(.connack))
        ),
        Vector(
            "a text beyond its list", from: .server, [0x20, 9, 0, 0, 4, 0x1F, 0, 3, "abc"], .error(.truncated(.connack))
        ),
        Vector(
            "a byte after the list", from: .server, [0x20, 4, 0, 0, 0, 0], .error(.trailingBytes(.connack))
        ),
        Vector(
            "a property twice", from: .server, [0x20, 7, 0, 0, 4, 0x25, 1, 0x25, 1],
            .error(.repeatedProperty(.retainAvailable, .connack))
        ),
        Vector(
            "a property of CONNECT", from: .server, [0x20, 5, 0, 0, 2, 0x17, 1],
            .error(.misplacedProperty(.requestProblemInformation, .connack))
        ),
        Vector(
            "a truth value of 2", from: .server, [0x20, 5, 0, 0, 2, 0x25, 2],
            .error(.propertyValue(.retainAvailable, .connack))
        ),
        Vector(
            "a maximum QoS of 2", from: .server, [0x20, 5, 0, 0, 2, 0x24, 2],
            .error(.propertyValue(.maximumQoS, .connack))
        ),
        Vector(
            "a maximum QoS of 3", from: .server, [0x20, 5, 0, 0, 2, 0x24, 3],
            .error(.propertyValue(.maximumQoS, .connack))
        ),
        Vector(
            "a receive maximum of 0", from: .server, [0x20, 6, 0, 0, 3, 0x21, 0, 0],
            .error(.propertyValue(.receiveMaximum, .connack))
        ),
        Vector(
            "a maximum packet size of 0", from: .server, [0x20, 8, 0, 0, 5, 0x27, 0, 0, 0, 0],
            .error(.propertyValue(.maximumPacketSize, .connack))
        ),
        Vector(
            "a payload format of 2", from: .both, [0x30, 6, 0, 1, "a", 2, 0x01, 2],
            .error(.propertyValue(.payloadFormatIndicator, .publish))
        ),
        Vector(
            "a subscription identifier of five bytes", from: .server,
            [0x30, 10, 0, 1, "a", 6, 0x0B, 0x80, 0x80, 0x80, 0x80, 0x01], .error(.variableByteInteger)
        ),
        // [MQTT-1.5.7-1]
        Vector(
            "a user property whose name is not UTF-8", from: .server, [0x20, 9, 0, 0, 6, 0x26, 0, 1, 0xFF, 0, 0],
            .error(.text(.connack))
        ),
        Vector(
            "a user property whose value has a null character", from: .server, [0x20, 9, 0, 0, 6, 0x26, 0, 0, 0, 1, 0],
            .error(.text(.connack))
        ),
        Vector(
            "a user property without a value", from: .server, [0x20, 7, 0, 0, 4, 0x26, 0, 1, "k"],
            .error(.truncated(.connack))
        ),
    ]
}

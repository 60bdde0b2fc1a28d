import CurlewBroker
import CurlewCore
import NIOCore
import Testing

@Suite("Forwarding on the wire", .timeLimit(.minutes(1)))
struct ForwardingWireTests {
    @Test(
        "A message's properties reach every subscriber unchanged and in order [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]"
    )
    func properties() async throws {
        let properties = Properties([
            .payloadFormatIndicator(1), .contentType("text/plain"), .responseTopic("replies/1"),
            .correlationData(ByteBuffer(bytes: [0, 1, 255])), .userProperty(UserProperty("b", "2")),
            .userProperty(UserProperty("a", "1")), .userProperty(UserProperty("b", "1")),
        ])
        try await withPeers { peers in
            let first = try await peers.connect("1")
            let second = try await peers.connect("2")
            for peer in [first, second] { _ = try await peer.subscribe("t/+") }
            let publisher = try await peers.connect("p")
            _ = try await publisher.deliver("x", to: "t/1", properties: properties)
            for peer in [first, second] {
                let message = try await peer.receivePublish()
                #expect(message.properties == properties)
                // [MQTT-3.3.2-3]
                #expect(message.topic?.string == "t/1")
            }
        }
    }

    @Test(
        "Clients of 3.1 and 3.1.1 get the same message without properties", arguments: [ProtocolVersion.v3_1, .v3_1_1])
    func olderVersions(version: ProtocolVersion) async throws {
        try await withPeers { peers in
            let subscriber = try await peers.connect("s", version: version)
            _ = try await subscriber.subscribe("t")
            let publisher = try await peers.connect("p")
            _ = try await publisher.deliver("x", to: "t", properties: Properties([.contentType("text/plain")]))
            let message = try await subscriber.receivePublish()
            #expect(message.properties.isEmpty)
            #expect(String(buffer: message.payload) == "x")
        }
    }

    @Test(
        "Topic aliases are sent only to a client that allows them, and only up to its maximum [MQTT-3.1.2-30] [MQTT-3.3.2-11] [MQTT-3.1.2-29]",
        arguments: [UInt16(0), 2])
    func aliases(maximum: UInt16) async throws {
        try await withPeers { peers in
            let subscriber = try await peers.connect("s") {
                if maximum > 0 { $0.properties = Properties([.topicAliasMaximum(maximum)]) }
            }
            _ = try await subscriber.subscribe("some/#")
            let publisher = try await peers.connect("p")
            var used: Set<UInt16> = []
            for number in 0..<30 {
                _ = try await publisher.deliver("x", to: "some/topic/\(number % 3)", qos: .atLeastOnce)
                let message = try await subscriber.receivePublish()
                if let alias = message.topicAlias { used.insert(alias) }
                try await subscriber.send(.puback(Acknowledgement(try #require(message.packetID))))
            }
            #expect(used.isSubset(of: Set(maximum > 0 ? [1, 2] : [])))
            #expect(used.isEmpty == (maximum == 0))
        }
    }

    @Test("A topic alias stands for its topic on this connection, and can be reassigned")
    func incomingAliases() async throws {
        try await withPeers { peers in
            let subscriber = try await peers.connect("s")
            _ = try await subscriber.subscribe("#")
            let publisher = try await peers.connect("p")
            #expect(publisher.connAck.properties.list.contains(.topicAliasMaximum(16)))
            for (topic, alias) in [("a", 1), (nil, 1), ("b", 1), (nil, 1)] as [(String?, UInt16)] {
                try await publisher.send(
                    .publish(
                        Publish(
                            topic: try topic.map { try TopicName($0) }, topicAlias: alias,
                            payload: ByteBuffer(string: "x"))))
            }
            var topics: [String?] = []
            for _ in 0..<4 { topics.append(try await subscriber.receivePublish().topic?.string) }
            #expect(topics == ["a", "a", "b", "b"])
        }
    }

    @Test(
        "A client with a full receive window still gets all packets other than PUBLISH [MQTT-3.3.4-10] [MQTT-3.12.4-1]"
    )
    func fullWindow() async throws {
        try await withPeers { peers in
            let subscriber = try await peers.connect("s") { $0.properties = Properties([.receiveMaximum(1)]) }
            _ = try await subscriber.subscribe("t")
            let publisher = try await peers.connect("p")
            for _ in 0..<3 { _ = try await publisher.deliver("x", to: "t") }
            _ = try await subscriber.receivePublish()
            try await subscriber.expectNothing()
            #expect(try await subscriber.subscribe("u") == [.grantedQoS2])
        }
    }

    @Test(
        "A message for an offline client is delivered when it reconnects [MQTT-4.5.0-1] [MQTT-4.8.2-4] [MQTT-3.1.2-25]",
        arguments: ["t", "$share/g/t"])
    func away(filter: String) async throws {
        try await withPeers { peers in
            let keep: (inout Connect) -> Void = {
                $0.cleanStart = false
                $0.properties = Properties([.sessionExpiryInterval(.max)])
            }
            let first = try await peers.connect("s", keep)
            _ = try await first.subscribe(filter)
            try await first.send(.disconnect(Disconnect()))
            #expect(try await first.receiveEnd() == nil)
            let publisher = try await peers.connect("p")
            for number in 0..<5 { _ = try await publisher.deliver("\(number)", to: "t", qos: .exactlyOnce) }
            let second = try await peers.connect("s", keep)
            for number in 0..<5 {
                let message = try await second.receivePublish()
                #expect(String(buffer: message.payload) == "\(number)")
                #expect(message.qos == .exactlyOnce)
            }
        }
    }

    @Test("Messages of one publisher to one topic arrive in order [MQTT-4.6.0-6]", arguments: QoS.allCases)
    func order(qos: QoS) async throws {
        try await withPeers { peers in
            let subscriber = try await peers.connect("s")
            _ = try await subscriber.subscribe("t")
            let publisher = try await peers.connect("p")
            for number in 1...300 as ClosedRange<UInt16> {
                try await publisher.publish("\(number)", to: "t", qos: qos, id: number)
            }
            for number in 1...300 {
                let message = try await subscriber.receivePublish()
                #expect(String(buffer: message.payload) == "\(number)")
            }
        }
    }

    @Test(
        "A SUBSCRIBE with several filters makes several subscriptions, each at most at the maximum QoS [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-5] [MQTT-3.8.4-7] [MQTT-3.2.2-10]"
    )
    func severalFilters() async throws {
        try await withPeers {
            $0.limits.maximumQoS = .atLeastOnce
        } _: { peers in
            let peer = try await peers.connect("a")
            #expect(
                try await peer.subscribe("a", "b/#", "a", options: SubscriptionOptions(qos: .exactlyOnce)) == [
                    .grantedQoS1, .grantedQoS1, .grantedQoS1,
                ])
            #expect(peers.broker.statistics.subscriptions == 2)
            #expect(try await peer.subscribe("c", options: SubscriptionOptions(qos: .atMostOnce)) == [.grantedQoS0])
        }
    }

    @Test(
        "Refused filters get only reason codes, even if the packet has no room for a reason string [MQTT-3.9.2-1] [MQTT-3.9.2-2] [MQTT-3.11.2-1] [MQTT-3.11.2-2]"
    )
    func noWords() async throws {
        try await withPeers({ $0.limits.maximumSubscriptionsPerClient = 1 }) { peers in
            let small = try await peers.connect("a") { $0.properties = Properties([.maximumPacketSize(64)]) }
            // The number of filters for which the acknowledgement just fits into 64 bytes.
            let filters = try (0..<59).map { try TopicFilter("t/\($0)") }
            let id = try #require(PacketID(1))
            try await small.send(.subscribe(Subscribe(id, filters.map { Subscribe.Subscription($0) })))
            guard case .suback(let granted) = try await small.receive() else { throw PeerError.closed }
            #expect(granted.reasonCodes == [.grantedQoS2] + Array(repeating: .quotaExceeded, count: 58))
            try await small.send(.unsubscribe(Unsubscribe(id, filters)))
            guard case .unsuback(let ended) = try await small.receive() else { throw PeerError.closed }
            #expect(ended.reasonCodes == [.success] + Array(repeating: .noSubscriptionExisted, count: 58))
        }
    }

    @Test("A message without RETAIN is not retained and does not replace a retained one [MQTT-3.3.1-8]")
    func notRetained() async throws {
        try await withPeers { peers in
            let publisher = try await peers.connect("p")
            _ = try await publisher.deliver("kept", to: "t", retain: true)
            _ = try await publisher.deliver("passing", to: "t")
            _ = try await publisher.deliver("", to: "t")
            _ = try await publisher.deliver("passing", to: "u")
            #expect(try peers.broker.retained().map(\.text) == ["kept"])
        }
    }

    @Test("Subscribing again sends the retained messages again and loses none [MQTT-3.8.4-4]")
    func subscribingAgain() async throws {
        try await withPeers { peers in
            let publisher = try await peers.connect("p")
            _ = try await publisher.deliver("kept", to: "t", retain: true)
            let subscriber = try await peers.connect("s")
            for _ in 0..<3 {
                _ = try await subscriber.subscribe("t")
                #expect(try await subscriber.receivePublish().retain)
            }
            _ = try await publisher.deliver("new", to: "t")
            let message = try await subscriber.receivePublish()
            #expect(!message.retain)
            #expect(String(buffer: message.payload) == "new")
        }
    }

    @Test(
        "UNSUBSCRIBE removes only exactly matching filters; messages already queued are still delivered [MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-3.10.4-3] [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6]"
    )
    func unsubscribing() async throws {
        try await withPeers { peers in
            let subscriber = try await peers.connect("s") { $0.properties = Properties([.receiveMaximum(1)]) }
            _ = try await subscriber.subscribe("t/+", "u")
            let publisher = try await peers.connect("p")
            _ = try await publisher.deliver("begun", to: "t/1")
            _ = try await publisher.deliver("waits", to: "t/1")
            let begun = try await subscriber.receivePublish()
            let id = try #require(PacketID(7))
            try await subscriber.send(
                .unsubscribe(Unsubscribe(id, [try TopicFilter("t/1"), try TopicFilter("t/+"), try TopicFilter("t/+")])))
            guard case .unsuback(let ack) = try await subscriber.receive() else { throw PeerError.closed }
            #expect(ack.packetID == id)
            #expect(ack.reasonCodes == [.noSubscriptionExisted, .success, .noSubscriptionExisted])
            _ = try await publisher.deliver("too late", to: "t/1")
            try await subscriber.send(.puback(Acknowledgement(try #require(begun.packetID))))
            let waited = try await subscriber.receivePublish()
            #expect(String(buffer: waited.payload) == "waits")
            try await subscriber.send(.puback(Acknowledgement(try #require(waited.packetID))))
            try await subscriber.expectNothing()
        }
    }

    @Test(
        "A will is retained only if its RETAIN flag is set [MQTT-3.1.2-7] [MQTT-3.1.2-16] [MQTT-3.1.2-17]",
        arguments: [true, false])
    func retainedWill(isRetained: Bool) async throws {
        let topic = try TopicName("w")
        try await withPeers { peers in
            let watcher = try await peers.connect("watcher")
            _ = try await watcher.subscribe("w")
            let peer = try await peers.connect("a") {
                $0.will = .init(topic: topic, payload: ByteBuffer(string: "gone"), retain: isRetained)
            }
            peer.close()
            _ = try await watcher.receivePublish()
            #expect(try peers.broker.retained(matching: "w").count == (isRetained ? 1 : 0))
        }
    }

    @Test(
        "Without a will, none is published [MQTT-3.1.2-12]; DISCONNECT with reason 0x04 publishes the will")
    func willOnRequest() async throws {
        let topic = try TopicName("w")
        try await withPeers { peers in
            let watcher = try await peers.connect("watcher")
            _ = try await watcher.subscribe("#")
            let without = try await peers.connect("a")
            without.close()
            while peers.broker.clients.count > 1 { try await letOthersRun() }
            try await watcher.expectNothing()
            let with = try await peers.connect("a") {
                $0.will = .init(topic: topic, payload: ByteBuffer(string: "bye"))
            }
            try await with.send(.disconnect(Disconnect(reasonCode: .disconnectWithWillMessage)))
            #expect(try await String(buffer: watcher.receivePublish().payload) == "bye")
        }
    }

    @Test(
        "CONNACK is the first packet, is sent once, and contains what the client needs [MQTT-3.2.0-1] [MQTT-3.2.0-2] [MQTT-3.1.4-5] [MQTT-3.1.3-7] [MQTT-3.1.2-31] [MQTT-4.12.0-6]",
        arguments: [false, true])
    func connAck(wantsResponseInformation: Bool) async throws {
        try await withPeers {
            $0.behavior.responseInformationPrefix = "replies/"
        } _: { peers in
            let peer = try await peers.connect("") {
                $0.properties = Properties([.requestResponseInformation(wantsResponseInformation)])
            }
            let list = peer.connAck.properties.list
            let identifier = try #require(
                peer.connAck.properties.value { if case .assignedClientIdentifier(let text) = $0 { text } else { nil } }
            )
            #expect(identifier.hasPrefix("auto-"))
            #expect(list.contains(.responseInformation("replies/\(identifier)")) == wantsResponseInformation)
            #expect(!list.contains { if case .authenticationMethod = $0 { true } else { false } })
            try await peer.expectNothing()
        }
    }

    @Test(
        "A refused client gets only CONNACK, and what it sent after CONNECT is ignored [MQTT-3.1.4-2] [MQTT-3.1.4-6] [MQTT-3.2.2-7] [MQTT-3.14.0-1] [MQTT-4.12.0-1]"
    )
    func refusedClient() async throws {
        try await withPeers { peers in
            let watcher = try await peers.connect("watcher")
            _ = try await watcher.subscribe("#")
            let peer = try await peers.open()
            try await peer.send(
                .connect(Connect(clientIdentifier: "a", properties: Properties([.authenticationMethod("unheard-of")]))),
                .publish(Publish(topic: try TopicName("t"), payload: ByteBuffer(string: "x"))))
            guard case .connack(let ack)? = try await peer.receiveEnd() else { throw PeerError.closed }
            #expect(ack.reasonCode == .badAuthenticationMethod)
            try await watcher.expectNothing()
        }
    }

    @Test("A malformed CONNECT closes the connection [MQTT-3.1.4-1]")
    func malformedConnect() async throws {
        try await withPeers { peers in
            let peer = try await peers.open()
            // The reserved flag is set.
            peer.send(ByteBuffer(bytes: [0x10, 0x0D, 0, 4, 0x4D, 0x51, 0x54, 0x54, 5, 3, 0, 0, 0, 0, 0]))
            #expect(try await peer.receiveEnd() == nil)
        }
    }

    @Test(
        "A reason string and user properties are left out if the packet would exceed the client's maximum packet size [MQTT-3.2.2-19] [MQTT-3.2.2-20] [MQTT-3.14.2-3] [MQTT-3.1.2-32]"
    )
    func words() async throws {
        try await withPeers { peers in
            let small = try await peers.open()
            try await small.send(
                .connect(
                    Connect(
                        clientIdentifier: "a",
                        properties: Properties([.maximumPacketSize(20), .authenticationMethod("unheard-of")]))))
            guard case .connack(let ack)? = try await small.receiveEnd() else { throw PeerError.closed }
            #expect(ack.properties.reasonString == nil)
            #expect(ack.properties.userProperties.isEmpty)
            let wordy = try await peers.connect("b")
            try await wordy.send(
                .auth(Auth(reasonCode: .reauthenticate, properties: Properties([.authenticationMethod("x")]))))
            guard case .disconnect(let end)? = try await wordy.receiveEnd() else { throw PeerError.closed }
            #expect(end.properties.reasonString != nil)
        }
    }
}

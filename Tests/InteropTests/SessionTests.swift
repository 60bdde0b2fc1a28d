import Curlew
import MosquittoFixture
import Testing

@Suite(
    "Sessions and connections",
    .enabled(if: !BrokerProgram.available.isEmpty, "mosquitto is not installed; scripts/test installs it"),
    .timeLimit(.minutes(5)))
struct SessionTests {
    @Test("Messages published while a client is offline arrive when it reconnects", arguments: Setup.all)
    func messagesWhileAway(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            func makeDevice() throws -> MQTTClient {
                try broker.client(setup) {
                    $0.clientIdentifier = .given("device")
                    $0.session.cleanStart = false
                }
            }
            let first = try makeDevice()
            try await first.connect()
            let before = Inbox(try await first.subscribe(to: "orders/+", acknowledgement: .onReceipt))
            let publisher = try await broker.connect(setup)
            try await publisher.publish("before", to: "orders/1", qos: .exactlyOnce)
            #expect(try await before.next().text == "before")
            await first.disconnect()
            // Releasing the subscription earlier would unsubscribe.
            withExtendedLifetime(before) {}

            for number in 0..<20 {
                try await publisher.publish(
                    "\(number)", to: "orders/2", qos: number % 2 == 0 ? .atLeastOnce : .exactlyOnce)
            }

            let second = try makeDevice()
            let messages = Inbox(try second.messages(matching: ["orders/+"]))
            let events = second.events
            try await second.connect()
            let isResumed = try await MQTTClient.nextConnection(events)
            // Before 3.1.1, a server could not report it.
            #expect(isResumed == (setup.version > .v3_1))
            #expect(try await messages.next(20).map(\.text) == (0..<20).map(String.init))
        }
    }

    /// Connects a client with a kept session.
    private func keptClient(
        _ broker: Mosquitto, _ setup: Setup, _ change: (inout MQTTConfiguration) -> Void = { _ in }
    ) async throws -> MQTTClient {
        try await broker.connect(setup) {
            $0.clientIdentifier = .given("kept")
            $0.session.cleanStart = false
            change(&$0)
        }
    }

    /// Leaves three messages for `orders` queued in the session.
    private func leaveWaiting(_ broker: Mosquitto, _ setup: Setup, _ qos: QoS = .atLeastOnce) async throws {
        let client = try await self.keptClient(broker, setup)
        let subscription = try await client.subscribe(to: "orders")
        await client.disconnect()
        withExtendedLifetime(subscription) {}
        let publisher = try await broker.connect(setup)
        for text in ["a", "b", "c"] { try await publisher.publish(text, to: "orders", qos: qos) }
    }

    @Test("A program that connects and then subscribes gets the messages queued for it", arguments: Setup.all)
    func connectThenSubscribe(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            for qos in [QoS.atLeastOnce, .exactlyOnce] {
                try await self.leaveWaiting(broker, setup, qos)
                let client = try await self.keptClient(broker, setup)
                // This message arrives after all the queued ones.
                let mark = Inbox(try await client.subscribe(to: "mark", acknowledgement: .onReceipt))
                try await client.publish("", to: "mark", qos: .atLeastOnce)
                _ = try await mark.next()
                let messages = Inbox(try await client.subscribe(to: "orders", acknowledgement: .onReceipt))
                #expect(try await messages.next(3).map(\.text) == ["a", "b", "c"])
                #expect(client.statistics.messagesUnrouted == 0)
                await client.disconnect()
            }
        }
    }

    @Test("Messages that a loop has not processed are delivered to the program's next run", arguments: Setup.tcp)
    func leavingALoop(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            try await self.leaveWaiting(broker, setup)
            for text in ["a", "b", "c"] {
                let client = try await self.keptClient(broker, setup)
                let subscription = try await client.subscribe(to: "orders")
                #expect(try await subscription.first { _ in true }?.text == text)
                await client.disconnect()
                withExtendedLifetime(subscription) {}
            }
            let client = try await self.keptClient(broker, setup)
            let subscription = Inbox(try await client.subscribe(to: "orders"))
            try await client.publish("d", to: "orders", qos: .atLeastOnce)
            #expect(try await subscription.next().text == "d")
        }
    }

    @Test(
        "One call resumes a filter if the broker has the session, and subscribes to it otherwise", arguments: Setup.tcp)
    func resumeOrSubscribe(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            for isKept in [false, true] {
                let client = try broker.client(setup) {
                    $0.clientIdentifier = .given("kept")
                    $0.session.cleanStart = false
                }
                let messages = try client.messages(matching: ["orders"], acknowledgement: .onReceipt)
                try await client.connect()
                // Its SUBACK arrives after that of the first subscription, if one was sent.
                _ = try await client.subscribe(to: "mark")
                try await client.publish("\(isKept)", to: "orders", qos: .atLeastOnce)
                // Leaving a loop would unsubscribe, so the kept session would lose the filter.
                #expect(try await messages.next(within: .seconds(60))?.text == "\(isKept)")
                await client.disconnect()
                withExtendedLifetime(messages) {}
            }
        }
    }

    @Test("Messages that nobody claims are reported, dropped, and do not hold up others", arguments: Setup.tcp)
    func nobodyTakes(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            try await self.leaveWaiting(broker, setup)
            let client = try broker.client(setup) {
                $0.clientIdentifier = .given("kept")
                $0.session.cleanStart = false
                $0.queues.unclaimed.timeLimit = .milliseconds(100)
            }
            let events = client.events
            try await client.connect()
            for await event in events {
                guard case .messagesUnclaimed(let topics, _) = event else { continue }
                #expect(topics.map(\.string) == ["orders"])
                break
            }
            let messages = Inbox(try await client.subscribe(to: "orders"))
            try await client.publish("d", to: "orders", qos: .atLeastOnce)
            while try await messages.next().text != "d" {}
        }
    }

    @Test("A message that exceeds the client's maximum packet size does not block those after it", arguments: Setup.tcp)
    func tooLarge(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            let client = try await self.keptClient(broker, setup) { $0.session.maximumPacketSize = 10_000 }
            let messages = Inbox(try await client.subscribe(to: "orders"))
            let publisher = try await broker.connect(setup)
            for qos in QoS.allCases {
                try await publisher.publish(String(repeating: "x", count: 500_000), to: "orders", qos: qos)
                try await publisher.publish("\(qos.rawValue)", to: "orders", qos: .exactlyOnce)
                #expect(try await messages.next().text == "\(qos.rawValue)")
            }
            #expect(client.statistics.reconnections == 0)
            // A broker that knows the maximum does not send such a message.
            #expect(client.statistics.messagesDropped == (setup.version < .v5_0 ? 3 : 0))
        }
    }

    @Test("A subscription survives a broken connection and gets what was published meanwhile", arguments: Setup.v5_0)
    func brokenConnection(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            let subscriber = try await broker.connect(setup)
            let subscription = Inbox(try await subscriber.subscribe(to: "a"))
            let publisher = try await broker.connect(setup)
            let events = subscriber.events
            for round in 0..<5 {
                subscriber.cutConnection()
                try await publisher.publish("\(round)", to: "a", qos: .exactlyOnce)
                #expect(try await MQTTClient.nextConnection(events))
                #expect(try await subscription.next().text == "\(round)")
            }
            #expect(subscriber.statistics.reconnections == 5)
        }
    }

    @Test("Before 5.0, a client with a clean session subscribes again after a broken connection", arguments: Setup.all)
    func brokenConnectionWithCleanSession(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            let subscriber = try await broker.connect(setup)
            let subscription = Inbox(try await subscriber.subscribe(to: "a"))
            let isResumed = try await subscriber.cutAndReconnect()
            #expect(isResumed == (setup.version == .v5_0))
            // The broker processes one connection's packets in order, so this SUBACK follows the first subscription.
            _ = try await subscriber.subscribe(to: "b")
            try await broker.connect(setup).publish("back", to: "a", qos: .atLeastOnce)
            #expect(try await subscription.next().text == "back")
        }
    }

    @Test("Broken connections lose no message of a stream of publishes", arguments: SetupAndQoS.reliable)
    func publishingThroughBreaks(_ argument: SetupAndQoS) async throws {
        try await Mosquitto.run(on: argument.setup.broker) { broker in
            let subscription = Inbox(try await broker.connect(argument.setup).subscribe(to: "stream"))
            let publisher = try await broker.connect(argument.setup) { $0.session.cleanStart = false }
            async let published: Void = {
                for number in 0..<500 {
                    try await publisher.publish("\(number)", to: "stream", qos: argument.qos)
                    if number % 100 == 50 { publisher.cutConnection() }
                }
            }()
            var received: [String] = []
            while Set(received).count < 500 { received.append(try await subscription.next().text) }
            try await published
            if argument.qos == .exactlyOnce { #expect(received == (0..<500).map(String.init)) }
            #expect(Set(received) == Set((0..<500).map(String.init)))
        }
    }

    // Only with mosquitto: `curlew broker` does not store sessions in files yet.
    @Test(
        "A broker restart in the middle of a stream loses nothing",
        .enabled(if: Peers.haveMosquitto, "mosquitto is not installed; scripts/test installs it"),
        arguments: SetupAndQoS.reliable.filter { $0.setup.broker == .mosquitto })
    func brokerRestart(_ argument: SetupAndQoS) async throws {
        try await Mosquitto.run(.init(isPersistent: true)) { broker in
            let publisher = try await broker.connect(argument.setup) { $0.session.cleanStart = false }
            let subscriber = try await broker.connect(argument.setup) { $0.session.cleanStart = false }
            let subscription = Inbox(try await subscriber.subscribe(to: "stream"))
            let deliveries = try (0..<100).map { try publisher.enqueue("\($0)", to: "stream", qos: argument.qos) }
            var received = Set(try await subscription.next(10).map(\.text))
            try await broker.stop()
            let more = try (100..<200).map { try publisher.enqueue("\($0)", to: "stream", qos: argument.qos) }
            try await broker.startAgain()
            for delivery in deliveries + more { try await delivery.outcome() }
            while received.count < 200 { received.insert(try await subscription.next().text) }
            #expect(received == Set((0..<200).map(String.init)))
            #expect(publisher.statistics.reconnections > 0 && subscriber.statistics.reconnections > 0)
        }
    }

    @Test(
        "A broker that lost its state gets the subscriptions and the unacknowledged messages again",
        arguments: Setup.tcp)
    func brokerForgets(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            let client = try await broker.connect(setup)
            let subscription = Inbox(try await client.subscribe(to: "a"))
            let events = client.events
            try await broker.stop()
            let delivery = try client.enqueue("kept", to: "a", qos: .atLeastOnce)
            try await broker.startAgain()
            #expect(try await MQTTClient.nextConnection(events) == false)
            try await delivery.outcome()
            try await client.publish("new", to: "a", qos: .atLeastOnce)
            #expect(try await subscription.next(2).map(\.text) == ["kept", "new"])
        }
    }

    @Test("The will is published when the connection breaks, but not after DISCONNECT", arguments: Setup.all)
    func will(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            let watcher = try await broker.connect(setup)
            let subscription = Inbox(try await watcher.subscribe(to: "status/#"))
            func makeDevice(_ name: String) async throws -> MQTTClient {
                try await broker.connect(setup) {
                    $0.will = .init(topic: "status/\(name)", text: "gone", qos: .atLeastOnce, retain: true)
                    $0.reconnect = .disabled
                }
            }
            await (try makeDevice("polite")).disconnect()
            try await makeDevice("cut").cutConnection()
            let message = try await subscription.next()
            #expect(message.topic.string == "status/cut")
            #expect(message.text == "gone" && message.qos == .atLeastOnce)
            let late = Inbox(try await broker.connect(setup).subscribe(to: "status/+"))
            #expect(try await late.next().isRetained)
        }
    }

    @Test("A will is published with its properties", arguments: Setup.v5_0)
    func willProperties(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            let subscription = Inbox(try await broker.connect(setup).subscribe(to: "status"))
            var properties = Properties()
            properties.contentType = "text/plain"
            properties.userProperties = [.init("why", "cable")]
            let device = try await broker.connect(setup) {
                $0.will = .init(topic: "status", text: "gone", delay: .seconds(1), properties: properties)
                $0.reconnect = .disabled
            }
            device.cutConnection()
            let message = try await subscription.next()
            #expect(message.properties.contentType == "text/plain")
            #expect(message.properties["why"] == "cable")
        }
    }

    @Test("A second client with the same identifier takes over the session", arguments: Setup.all)
    func takeOver(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            func makeClient() throws -> MQTTClient {
                try broker.client(setup) {
                    $0.clientIdentifier = .given("one")
                    $0.session.cleanStart = false
                    $0.reconnect = .disabled
                }
            }
            let first = try makeClient()
            try await first.connect()
            let before = try await first.subscribe(to: "a")
            let second = try makeClient()
            let messages = Inbox(try second.messages(matching: ["a"]))
            try await second.connect()
            // Before 2.0.12, mosquitto closes the connection without DISCONNECT.
            let error = try await errorOf { try await first.waitUntilStopped() }
            #expect(error.code == .sessionTakenOver || error.code == .connectionClosed)
            #expect(first.state == .disconnected)
            try await second.publish("mine", to: "a", qos: .atLeastOnce)
            #expect(try await messages.next().text == "mine")
            withExtendedLifetime(before) {}
        }
    }

    // Only with mosquitto, as in the next test: only its log shows the pings.
    @Test(
        "An idle client keeps its connection alive with pings",
        .enabled(if: Peers.haveMosquitto, "mosquitto is not installed; scripts/test installs it"),
        arguments: Setup.tcp.filter { $0.broker == .mosquitto })
    func keepAlive(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            let client = try await broker.connect(setup) {
                $0.clientIdentifier = .given("idle")
                $0.connection.keepAlive = .seconds(1)
            }
            for _ in 0..<3 { try await broker.log(says: "Received PINGREQ from idle") }
            #expect(client.state == .connected && client.statistics.reconnections == 0)
        }
    }

    @Test(
        "The server's keep alive replaces the client's own",
        .enabled(if: Peers.haveMosquitto, "mosquitto is not installed; scripts/test installs it"),
        arguments: Setup.v5_0.filter { $0.broker == .mosquitto })
    func serverKeepAlive(_ setup: Setup) async throws {
        try await Mosquitto.run(.init(lines: ["max_keepalive 10"]), on: setup.broker) { broker in
            let client = try await broker.connect(setup) { $0.clientIdentifier = .given("idle") }
            #expect(client.serverLimits?.serverKeepAlive == 10)
            try await broker.log(says: "Received PINGREQ from idle")
            #expect(client.statistics.reconnections == 0)
        }
    }

    @Test("An expired message is not delivered to a client that was offline too long", arguments: Setup.v5_0)
    func messageExpiry(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            func makeDevice() throws -> MQTTClient {
                try broker.client(setup) {
                    $0.clientIdentifier = .given("device")
                    $0.session.cleanStart = false
                }
            }
            let device = try makeDevice()
            try await device.connect()
            let before = try await device.subscribe(to: "a")
            await device.disconnect()
            withExtendedLifetime(before) {}

            let publisher = try await broker.connect(setup)
            var brief = Properties()
            brief.messageExpiryInterval = 1
            var long = Properties()
            long.messageExpiryInterval = 1000
            try await publisher.publish("brief", to: "a", qos: .atLeastOnce, properties: brief)
            try await publisher.publish("long", to: "a", qos: .atLeastOnce, properties: long)
            // The test knows that time is up when a retained message expires. Its interval is longer, because mosquitto
            // counts in whole seconds and keeps a queued message until the end of its last second.
            var clock = Properties()
            clock.messageExpiryInterval = 2
            try await publisher.publish("tick", to: "clock", qos: .atLeastOnce, retain: true, properties: clock)
            while try await Self.isRetained("clock", publisher) {}

            let again = try makeDevice()
            let messages = Inbox(try again.messages(matching: ["a"]))
            try await again.connect()
            let message = try await messages.next()
            #expect(message.text == "long")
            #expect(message.properties.messageExpiryInterval.map { $0 < 1000 } == true)
        }
    }

    /// Whether the server has a retained message on the topic.
    private static func isRetained(_ topic: String, _ client: MQTTClient) async throws -> Bool {
        let subscription = Inbox(try await client.subscribe(to: [TopicSubscription(topic), "end"]))
        try await client.publish("", to: "end", qos: .atLeastOnce)
        // Reads to the end message: unread messages would go to the next subscription.
        var isRetained = false
        while true {
            let message = try await subscription.next()
            if message.topic.string == "end" { return isRetained }
            isRetained = isRetained || message.topic.string == topic
        }
    }

    @Test(
        "The automatic version is 5.0 if the broker supports it, and the broker assigns a missing client identifier",
        arguments: BrokerProgram.available)
    func automatic(_ program: BrokerProgram) async throws {
        try await Mosquitto.run(on: program) { broker in
            let client = try await broker.connect(Setup(listener: .tcp, version: .v5_0)) {
                $0.connection.version = .automatic
                $0.clientIdentifier = .assignedByServer
            }
            #expect(client.protocolVersion == .v5_0)
            #expect(!client.clientIdentifier.isEmpty)
            #expect(client.serverLimits?.assignedClientIdentifier == client.clientIdentifier)
            let identifier = client.clientIdentifier
            _ = try await client.cutAndReconnect()
            #expect(client.clientIdentifier == identifier)
        }
    }

    @Test("Disconnecting sends everything that was enqueued, and reports a clean end", arguments: SetupAndQoS.all)
    func drain(_ argument: SetupAndQoS) async throws {
        try await Mosquitto.run(on: argument.setup.broker) { broker in
            let subscription = Inbox(try await broker.connect(argument.setup).subscribe(to: "last"))
            let publisher = try await broker.connect(argument.setup)
            for number in 0..<200 { try publisher.enqueue("\(number)", to: "last", qos: argument.qos) }
            #expect(await publisher.disconnect().isClean)
            #expect(try await subscription.next(200).map(\.text) == (0..<200).map(String.init))
            #expect(publisher.state == .disconnected)
        }
    }

    @Test("A disconnected client can connect again", arguments: Setup.tcp)
    func connectAgain(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            let client = try await broker.connect(setup)
            for number in 0..<3 {
                let subscription = Inbox(try await client.subscribe(to: "a"))
                try await client.publish("\(number)", to: "a", qos: .atLeastOnce)
                #expect(try await subscription.next().text == "\(number)")
                await client.disconnect()
                try await client.connect()
            }
        }
    }
}

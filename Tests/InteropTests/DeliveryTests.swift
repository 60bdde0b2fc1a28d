import Curlew
import MosquittoFixture
import NIOCore
import Testing

@Suite(
    "Messages through a broker",
    .enabled(if: !BrokerProgram.available.isEmpty, "mosquitto is not installed; scripts/test installs it"),
    .timeLimit(.minutes(5)))
struct DeliveryTests {
    @Test(
        "A message arrives as it was published, at each QoS of publisher and subscriber [MQTT-7.0.0-2]",
        arguments: SetupAndQoS.all)
    func everyQoS(_ argument: SetupAndQoS) async throws {
        try await Mosquitto.run(on: argument.setup.broker) { broker in
            let publisher = try await broker.connect(argument.setup)
            let subscriber = try await broker.connect(argument.setup)
            for granted in QoS.allCases {
                let subscription = Inbox(
                    try await subscriber.subscribe(to: "a/\(granted.rawValue)/+", options: .init(qos: granted)))
                let code = try await publisher.publish("21.5", to: "a/\(granted.rawValue)/b", qos: argument.qos)
                #expect(code == .success)
                let message = try await subscription.next()
                #expect(message.text == "21.5")
                #expect(message.topic.string == "a/\(granted.rawValue)/b")
                #expect(message.qos == min(granted, argument.qos))
                #expect(!message.isRetained && !message.isDuplicate)
            }
        }
    }

    @Test("A thousand messages arrive complete and in order, at each QoS", arguments: SetupAndQoS.all)
    func order(_ argument: SetupAndQoS) async throws {
        try await Mosquitto.run(on: argument.setup.broker) { broker in
            let publisher = try await broker.connect(argument.setup)
            let subscription = Inbox(try await broker.connect(argument.setup).subscribe(to: "count"))
            var deliveries: [PendingPublish] = []
            for number in 0..<1000 {
                deliveries.append(try publisher.enqueue("\(number)", to: "count", qos: argument.qos))
            }
            let numbers = try await subscription.next(1000).map(\.text)
            #expect(numbers == (0..<1000).map(String.init))
            for delivery in deliveries { #expect(try await delivery.outcome() == .success) }
        }
    }

    @Test("A retained message is sent to later subscribers until an empty one removes it", arguments: Setup.all)
    func retained(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            let publisher = try await broker.connect(setup)
            try await publisher.publish("on", to: "lamp", qos: .atLeastOnce, retain: true)
            let subscription = Inbox(try await broker.connect(setup).subscribe(to: "lamp"))
            let kept = try await subscription.next()
            #expect(kept.text == "on" && kept.isRetained)
            try await publisher.publish("", to: "lamp", qos: .atLeastOnce, retain: true)
            let removal = try await subscription.next()
            #expect(removal.byteCount == 0 && !removal.isRetained)

            let late = Inbox(try await broker.connect(setup).subscribe(to: ["lamp", "end"]))
            try await publisher.publish("", to: "end", qos: .atLeastOnce)
            #expect(try await late.next().topic.string == "end")
        }
    }

    @Test("No Local, Retain As Published and Retain Handling reach the broker", arguments: Setup.v5_0)
    func subscriptionOptions(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            let client = try await broker.connect(setup)
            try await client.publish("kept", to: "a", qos: .atLeastOnce, retain: true)
            let subscription = Inbox(
                try await client.subscribe(to: [
                    TopicSubscription("a", .init(retainAsPublished: true, retainHandling: .doNotSend)),
                    TopicSubscription("own", .init(noLocal: true)),
                    "end",
                ]))
            try await client.publish("new", to: "a", qos: .atLeastOnce, retain: true)
            try await client.publish("mine", to: "own", qos: .atLeastOnce)
            try await client.publish("", to: "end", qos: .atLeastOnce)
            let messages = try await subscription.next(2)
            #expect(messages.map(\.text) == ["new", ""])
            #expect(messages.map(\.isRetained) == [true, false])
        }
    }

    @Test("Topics and payloads in any script arrive unchanged", arguments: Setup.all)
    func unicode(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            let client = try await broker.connect(setup)
            let topics = ["küche/温度", "дом/🛋️/свет", "a b/é", "/leading//empty/"]
            let subscription = Inbox(try await client.subscribe(to: "#"))
            for topic in topics { try await client.publish("«\(topic)»", to: topic, qos: .atLeastOnce) }
            let messages = try await subscription.next(topics.count)
            #expect(messages.map(\.topic.string) == topics)
            #expect(messages.map(\.text) == topics.map { "«\($0)»" })
        }
    }

    @Test("Empty payloads and payloads of 5 MB arrive complete", arguments: SetupAndQoS.all)
    func sizes(_ argument: SetupAndQoS) async throws {
        try await Mosquitto.run(on: argument.setup.broker) { broker in
            let publisher = try await broker.connect(argument.setup)
            let subscription = Inbox(try await broker.connect(argument.setup).subscribe(to: "size"))
            let large = ByteBuffer(bytes: (0..<5_000_000).lazy.map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) })
            for payload in [ByteBuffer(), large, ByteBuffer(string: "x")] {
                try await publisher.publish(payload, to: "size", qos: argument.qos)
                #expect(try await subscription.next().payload == payload)
            }
        }
    }

    @Test("Overlapping subscriptions of one client each get a message once", arguments: Setup.all)
    func overlapping(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            let client = try await broker.connect(setup)
            let wide = Inbox(try await client.subscribe(to: "home/#"))
            let narrow = Inbox(try await client.subscribe(to: "home/+/temperature"))
            let both = Inbox(try await client.subscribe(to: ["home/#", "home/kitchen/+"]))
            let publisher = try await broker.connect(setup)
            for number in 0..<10 {
                try await publisher.publish("\(number)", to: "home/kitchen/temperature", qos: .exactlyOnce)
            }
            let expected = (0..<10).map(String.init)
            #expect(try await wide.next(10).map(\.text) == expected)
            #expect(try await narrow.next(10).map(\.text) == expected)
            #expect(try await both.next(10).map(\.text) == expected)
            // Nothing arrived twice: the next message is the next one published.
            try await publisher.publish("end", to: "home/kitchen/temperature", qos: .exactlyOnce)
            #expect(try await wide.next().text == "end")
            #expect(try await narrow.next().text == "end")
            #expect(try await both.next().text == "end")
        }
    }

    @Test("The members of a shared subscription divide the messages", arguments: Setup.all)
    func shared(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            let publisher = try await broker.connect(setup)
            try await withThrowingTaskGroup(of: [String].self) { group in
                for _ in 0..<3 {
                    let member = try await broker.connect(setup)
                    // Acknowledged on receipt: otherwise the end message could wait behind unacknowledged jobs.
                    let jobs = try await member.subscribe(to: "$share/workers/job/+", acknowledgement: .onReceipt)
                    let end = try await member.subscribe(to: "end")
                    group.addTask {
                        _ = try await Inbox(end).next()
                        // The broker sent this member's last job before the end message.
                        return try await Inbox(jobs).next(jobs.queuedCount).map(\.text)
                    }
                }
                for number in 0..<60 {
                    try await publisher.publish("\(number)", to: "job/\(number % 7)", qos: .atLeastOnce)
                }
                try await publisher.publish("", to: "end", qos: .atLeastOnce)
                var shares: [[String]] = []
                for try await share in group { shares.append(share) }
                #expect(Set(shares.joined()) == Set((0..<60).map(String.init)))
                #expect(shares.joined().count == 60)
                #expect(shares.allSatisfy { !$0.isEmpty })
            }
        }
    }

    @Test("A hundred tasks publish through one client at once", arguments: SetupAndQoS.all)
    func manyTasks(_ argument: SetupAndQoS) async throws {
        try await Mosquitto.run(on: argument.setup.broker) { broker in
            let publisher = try await broker.connect(argument.setup)
            let subscription = Inbox(try await broker.connect(argument.setup).subscribe(to: "task/+"))
            try await withThrowingTaskGroup { group in
                for task in 0..<100 {
                    group.addTask {
                        for number in 0..<10 {
                            try await publisher.publish("\(number)", to: "task/\(task)", qos: argument.qos)
                        }
                    }
                }
                try await group.waitForAll()
            }
            var received: [String: [String]] = [:]
            for message in try await subscription.next(1000) {
                received[message.topic.string, default: []].append(message.text)
            }
            #expect(received.count == 100)
            #expect(received.values.allSatisfy { $0 == (0..<10).map(String.init) })
            #expect(publisher.statistics.inFlightPackets == 0)
        }
    }

    // [MQTT-3.3.4-7] [MQTT-3.3.4-9] [MQTT-4.9.0-2]
    @Test(
        "A broker with a Receive Maximum of two is never sent a third message at once",
        arguments: SetupAndQoS.reliable.filter { $0.setup.version == .v5_0 })
    func receiveMaximum(_ argument: SetupAndQoS) async throws {
        try await Mosquitto.run(.init(lines: ["max_inflight_messages 2"]), on: argument.setup.broker) { broker in
            let publisher = try await broker.connect(argument.setup)
            #expect(publisher.serverLimits?.receiveMaximum == 2)
            let subscription = Inbox(try await broker.connect(argument.setup).subscribe(to: "narrow"))
            let deliveries = try (0..<300).map { try publisher.enqueue("\($0)", to: "narrow", qos: argument.qos) }
            #expect(try await subscription.next(300).map(\.text) == (0..<300).map(String.init))
            for delivery in deliveries { try await delivery.outcome() }
            // Otherwise, the broker would have closed the connection.
            #expect(publisher.statistics.reconnections == 0)
        }
    }

    @Test("The reason code tells the publisher that nobody has subscribed", arguments: Setup.v5_0)
    func noSubscribers(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            let client = try await broker.connect(setup)
            #expect(try await client.publish("?", to: "nobody", qos: .atLeastOnce) == .noMatchingSubscribers)
            // mosquitto looks for subscribers of a QoS 2 message only when it is too late to report that there are
            // none.
            let code = try await client.publish("?", to: "nobody", qos: .exactlyOnce)
            #expect(code == (setup.broker == .mosquitto ? .success : .noMatchingSubscribers))
        }
    }

    @Test("A message arrives with its properties", arguments: Setup.v5_0)
    func properties(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            let client = try await broker.connect(setup)
            let subscription = Inbox(try await client.subscribe(to: "a"))
            var properties = Properties()
            properties.contentType = "text/plain"
            properties.payloadIsText = true
            properties.messageExpiryInterval = 1000
            properties.responseTopic = "b"
            properties.correlationData = ByteBuffer(bytes: [0, 255, 1])
            properties.userProperties = [.init("k", "1"), .init("k", "2"), .init("ü", "")]
            try await client.publish("x", to: "a", qos: .atLeastOnce, properties: properties)
            let received = try await subscription.next().properties
            #expect(received.contentType == "text/plain")
            #expect(received.payloadIsText == true)
            #expect(received.messageExpiryInterval.map { (900...1000).contains($0) } == true)
            #expect(received.responseTopic == "b")
            #expect(received.correlationData == ByteBuffer(bytes: [0, 255, 1]))
            #expect(received.userProperties == properties.userProperties)
        }
    }
}

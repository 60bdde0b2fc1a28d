#if Tools
import Curlew
import CurlewCore
import CurlewTransport
import Foundation
import MosquittoFixture
import NIOCore
import Testing

@testable import CurlewCommand

/// The built command against a real broker.
@Suite(
    "curlew bench and mosquitto",
    .enabled(if: Peers.haveMosquitto, "mosquitto is not installed; scripts/test installs it"),
    .timeLimit(.minutes(2)))
struct BenchTests {
    private static let keys: Set = [
        "count", "seconds", "rate", "bytes", "p50_us", "p99_us", "max_us", "lost", "reordered",
        "cpu_us_per_message",
    ]

    /// The result of a benchmark by its keys, without those that are `null`.
    private func numbers(_ outcome: Subprocess.Outcome) throws -> [String: Double] {
        let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
        return try #require(object as? [String: Any]).compactMapValues { ($0 as? NSNumber)?.doubleValue }
    }

    private func bench(_ broker: Mosquitto, _ arguments: String...) async throws -> Subprocess.Outcome {
        try await Subprocess.curlew(["bench"] + arguments + ["-p", "\(broker.port())", "--json"]).outcome()
    }

    @Test(
        "pub sends as many messages as requested, from all clients together", arguments: ["0", "1", "2"], ["1", "3"])
    func publish(qos: String, clients: String) async throws {
        try await Mosquitto.run { broker in
            let counter = try await Counter.start(broker, topic: "bench/+")
            let outcome = try await self.bench(
                broker, "pub", "-t", "bench/%d", "--topics", "7", "-q", qos, "-n", "500", "-s", "100", "--window",
                "50",
                "--clients", clients)
            #expect(outcome.exitCode == 0)
            #expect(outcome.errors == "")
            let numbers = try self.numbers(outcome)
            #expect(Set(numbers.keys) == Self.keys)
            #expect(numbers["count"] == 500)
            #expect(numbers["bytes"] == 50_000)
            #expect(numbers["lost"] == 0)
            #expect(try await counter.topics(of: 500).count == 7)
        }
    }

    @Test("pub at a rate measures each message, and stops when the duration has passed")
    func rate() async throws {
        try await Mosquitto.run { broker in
            let byCount = try self.numbers(
                await self.bench(broker, "pub", "-n", "20", "--rate", "1000", "-q", "1", "--duration", "60"))
            #expect(byCount["count"] == 20)
            #expect(byCount["p99_us"] != nil)
            let byTime = try self.numbers(await self.bench(broker, "pub", "--rate", "100", "--duration", "0.3"))
            #expect(try #require(byTime["count"]) < 100)
        }
    }

    @Test("sub reports lost and reordered messages")
    func subscribe() async throws {
        try await Mosquitto.run { broker in
            let command = try Subprocess.curlew([
                "bench", "sub", "-p", "\(broker.port())", "-t", "bench/%d", "-q", "1", "-n", "5", "--json", "-d",
            ])
            #expect(await command.hasSaid("received SUBACK"))
            let client = try MQTTClient(MQTTConfiguration(server: .mqtt("127.0.0.1", port: broker.port())))
            try await client.connect()
            for sequence: UInt64 in [5, 8, 7, 11] {
                var payload = BenchPayload.buffer(size: 64)
                BenchPayload(sender: 1, sequence: sequence).write(to: &payload)
                try await client.publish(payload, to: "bench/1", qos: .atLeastOnce)
            }
            try await client.publish("somebody else's", to: "bench/2", qos: .atLeastOnce)
            let numbers = try self.numbers(await command.outcome())
            await client.disconnect()
            #expect(numbers["count"] == 5)
            #expect(numbers["lost"] == 3)
            #expect(numbers["reordered"] == 1)
        }
    }

    @Test("pub counts refused messages as lost and reports the reason")
    func refused() async throws {
        try await Mosquitto.run(Mosquitto.Settings(lines: ["max_packet_size 200"])) { broker in
            let outcome = try await self.bench(broker, "pub", "-n", "30", "-q", "1", "-V", "5", "-s", "300")
            #expect(outcome.exitCode == 1)
            #expect(try self.numbers(outcome)["lost"] == 30)
            #expect(outcome.errors.contains("30 messages were lost. Reason for the first: "))
        }
    }

    @Test("pub ends if the broker closes the connection because of a message", arguments: ["0", "1", "2"])
    func closed(qos: String) async throws {
        try await Mosquitto.run(Mosquitto.Settings(lines: ["max_packet_size 200"])) { broker in
            for pace in [[], ["--rate", "1000"]] {
                // Before MQTT 5, a broker cannot announce its maximum packet size.
                let command = try Subprocess.curlew(
                    ["bench", "pub", "-p", "\(broker.port())", "-q", qos, "-V", "3.1.1", "-s", "300"]
                        + ["-n", "1000000"] + pace)
                let outcome = try await command.outcome()
                #expect(outcome.exitCode == 1)
                #expect(outcome.errors.contains(" lost"))
                #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
            }
        }
    }

    @Test(
        "Each benchmark ends with the server's reason code if the server refuses the connection",
        arguments: ["pub", "sub", "rtt", "conn"])
    func unauthorized(kind: String) async throws {
        try await Mosquitto.run(.init(allowsAnonymous: false)) { broker in
            let command = try Subprocess.curlew("bench", kind, "-p", "\(broker.port())", "-V", "5")
            let outcome = try await command.outcome()
            #expect(outcome.exitCode == 135)
            #expect(outcome.output == "")
            #expect(outcome.errors.hasPrefix("curlew bench: The server refused the connection"))
            #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
        }
    }

    @Test("rtt gets a reply to each request", arguments: ["1", "8"])
    func roundTrips(window: String) async throws {
        try await Mosquitto.run { broker in
            let outcome = try await self.bench(
                broker, "rtt", "-n", "100", "--window", window, "--clients", "2", "-q", "1")
            #expect(outcome.exitCode == 0)
            let numbers = try self.numbers(outcome)
            #expect(Set(numbers.keys) == Self.keys)
            #expect(numbers["count"] == 100)
            #expect(numbers["lost"] == 0)
        }
    }

    @Test("conn opens as many connections as it reports")
    func connect() async throws {
        try await Mosquitto.run { broker in
            let numbers = try self.numbers(await self.bench(broker, "conn", "-n", "20"))
            #expect(numbers["count"] == 20)
            #expect(numbers["lost"] == 0)
        }
    }

    @Test("An interrupted sub reports the messages received so far")
    func interrupted() async throws {
        try await Mosquitto.run { broker in
            let command = try Subprocess.curlew("bench", "sub", "-p", "\(broker.port())")
            #expect(await command.hasSaid("Subscribed to "))
            command.send(SIGINT)
            let outcome = try await command.outcome()
            #expect(outcome.exitCode == 0)
            #expect(outcome.output.hasPrefix("0 messages"))
        }
    }
}

@Suite("curlew bench: errors and counting")
struct BenchValueTests {
    @Test(
        "Invalid options are refused in one sentence",
        arguments: [
            ["pub", "-t", "a/b", "--topics", "4"], ["pub", "-t", "a/#"], ["pub", "-t", "a", "-t", "b"],
            ["pub", "--window", "0"], ["pub", "--rate", "0"], ["pub", "-s", "-1"], ["pub", "-n", "0"],
            ["rtt", "-V", "3.1.1"], ["sub", "-c", "-i", "me"], ["conn", "--clients", "70000"],
        ])
    func refusals(arguments: [String]) async throws {
        let outcome = try await Subprocess.curlew(["bench"] + arguments).outcome()
        #expect(outcome.exitCode == 1)
        #expect(outcome.output == "")
        #expect(outcome.errors.hasPrefix("curlew bench: "))
        #expect(outcome.errors.split(separator: "\n").count == 1)
    }

    @Test(
        "A broker that closes each connection silently is reported", arguments: ["pub", "sub", "rtt", "conn"])
    func wordless(kind: String) async throws {
        let listener = try await SocketListener.bind { ClosingHandler($0) }
        let command = try Subprocess.curlew("bench", kind, "-h", "127.0.0.1", "-p", "\(listener.port)")
        let outcome = try await command.outcome()
        await listener.close()
        #expect(outcome.exitCode == 1)
        #expect(outcome.output == "")
        let beginning = "curlew bench: 127.0.0.1:\(listener.port) closed the connection without an answer to CONNECT; "
        #expect(outcome.errors.hasPrefix(beginning))
        #expect(outcome.errors.contains("mqtts://"))
    }

    @Test("A payload is decoded as it was written; other payloads are ignored")
    func payload() {
        var buffer = BenchPayload.buffer(size: 24)
        let payload = BenchPayload(sender: 7, sequence: 1 << 40, time: 3)
        payload.write(to: &buffer)
        #expect(buffer.withUnsafeReadableBytes { BenchPayload($0) } == payload)
        var short = BenchPayload.buffer(size: 23)
        payload.write(to: &short)
        #expect(short.readableBytes == 23)
        #expect(short.withUnsafeReadableBytes { BenchPayload($0) } == nil)
        #expect(ByteBuffer(repeating: 0, count: 64).withUnsafeReadableBytes { BenchPayload($0) } == nil)
    }

    @Test("Senders are counted separately, and duplicates do not make losses negative")
    func sequences() {
        var tracker = SequenceTracker()
        for (sequence, sender): (UInt64, UInt32) in [(3, 1), (4, 1), (100, 2), (7, 1), (101, 2), (6, 1), (101, 2)] {
            tracker.received(sequence, from: sender)
        }
        #expect(tracker.lost == 1)
        #expect(tracker.reordered == 2)
    }

    @Test("Numbers are formatted for people and for JSON")
    func numbers() {
        #expect(1_234_567.grouped == "1,234,567")
        #expect((-999).grouped == "-999")
        #expect(0.0405.decimal(3) == "0.041")
        #expect(12.0.decimal(0) == "12")
        #expect((-1.5).decimal(1) == "-1.5")
    }

    @Test("The live rate fits on a line")
    func liveRate() {
        let whole = "1,234 per second, 56,789 so far"
        #expect(LiveRate.line(rate: 1234, count: 56_789, width: whole.count + 1) == whole)
        #expect(LiveRate.line(rate: 1234, count: 56_789, width: whole.count) == "1,234 per second")
        #expect(LiveRate.line(rate: 1234, count: 56_789, width: 16) == "")
    }

    @Test("%d creates several topics")
    func topics() throws {
        #expect(try BenchTopics.names(["a/%d/b"], count: 2) == ["a/0/b", "a/1/b"])
        #expect(try BenchTopics.names([], count: nil).count == 64)
        #expect(try BenchTopics.names(["one"], count: nil) == ["one"])
        #expect(try BenchTopics.filter(["a/%d/b"]).string == "a/+/b")
        #expect(try BenchTopics.filter(["a/#"]).string == "a/#")
    }
}

/// A server that closes a connection as soon as it receives bytes.
private final class ClosingHandler: LinkHandler {
    private let link: any Link

    init(_ link: any Link) { self.link = link }

    func linkRead(_ bytes: ByteBuffer) { self.link.close() }
    func linkReadCompleted() {}
    func linkWritabilityChanged(_ isWritable: Bool) {}
    func linkClosed(_ error: TransportError?) {}
}

/// A subscriber in the test process.
private struct Counter {
    private let client: MQTTClient
    private let subscription: MQTTSubscription

    static func start(_ broker: Mosquitto, topic: String) async throws -> Counter {
        let client = try MQTTClient(MQTTConfiguration(server: .mqtt("127.0.0.1", port: broker.port())))
        try await client.connect()
        return Counter(client: client, subscription: try await client.subscribe(to: topic))
    }

    /// The topics of this many messages.
    func topics(of count: Int) async throws -> Set<TopicName> {
        var topics: Set<TopicName> = []
        var left = count
        for try await message in self.subscription {
            topics.insert(message.topic)
            left -= 1
            if left == 0 { break }
        }
        await self.client.disconnect()
        return topics
    }
}
#endif

import Curlew
import Foundation
import MosquittoFixture
import Testing

#if Tools
/// Broker features that MosquittoToolTests does not cover.
@Suite(
    "mosquitto's commands with Curlew's broker",
    .enabled(if: Peers.haveMosquittoTools, "mosquitto-clients is not installed; scripts/test installs it"),
    .timeLimit(.minutes(5)))
struct MosquittoClientTests {
    @Test(
        "The will of a killed command is published; that of a command that exits is not", arguments: versions)
    func will(_ version: ProtocolVersion) async throws {
        try await Mosquitto.run(on: .curlew) { broker in
            let tools = MosquittoTools(broker: broker, version: version)
            let watcher = try await tools.subscribe(to: "will/#", count: 2, as: "watcher")
            func start(_ name: String) async throws -> Subprocess {
                try await tools.subscribe(
                    to: "enough", count: 1, as: name, "--will-topic", "will/\(name)", "--will-payload", "gone",
                    "--will-qos", "1", "--will-retain")
            }
            // Not ended by a signal: with 5.0, mosquitto_sub would then ask the broker to publish its will.
            let polite = try await start("polite")
            try await tools.publish(PeerMessage(topic: "enough", payload: Data("x".utf8), qos: 1))
            try await polite.success()
            let killed = try await start("killed")
            killed.send(SIGKILL)
            try await killed.end()
            let client = try await broker.connect(Setup(listener: .tcp, version: version))
            let kept = Inbox(try await client.subscribe(to: "will/+"))
            let will = PeerMessage(topic: "will/killed", payload: Data("gone".utf8), qos: 1, retain: true)
            // With or without RETAIN, depending on whether it is published before or after the subscription.
            #expect(PeerMessage(try await kept.next()).live == will.live)
            try await client.publish("", to: "will/zzz", qos: .atLeastOnce)
            let end = PeerMessage(topic: "will/zzz", payload: Data(), qos: 1)
            #expect(try await MosquittoTools.received(watcher) == [will.live, end])

            let late = Inbox(try await client.subscribe(to: "will/killed"))
            #expect(PeerMessage(try await late.next()) == will)
        }
    }

    @Test("Two commands in a shared subscription divide the messages evenly", arguments: versions)
    func shared(_ version: ProtocolVersion) async throws {
        try await Mosquitto.run(on: .curlew) { broker in
            let tools = MosquittoTools(broker: broker, version: version)
            let one = try await tools.subscribe(to: "$share/crew/job/+", count: 5, as: "one")
            let two = try await tools.subscribe(to: "$share/crew/job/+", count: 5, as: "two")
            let jobs = (0..<10).map {
                PeerMessage(topic: "job/\($0)", payload: Data("job \($0)".utf8), qos: UInt8($0 % 3))
            }
            let client = try await broker.connect(Setup(listener: .tcp, version: version))
            for job in jobs { try await client.publish(job) }
            let shares = [try await MosquittoTools.received(one), try await MosquittoTools.received(two)]
            #expect(shares.map(\.count) == [5, 5])
            #expect(shares.flatMap { $0 }.comparable == jobs.comparable)
        }
    }

    @Test("A command that resumes its session gets the messages that it missed", arguments: versions)
    func session(_ version: ProtocolVersion) async throws {
        try await Mosquitto.run(on: .curlew) { broker in
            let tools = MosquittoTools(broker: broker, version: version)
            func subscribe(_ count: Int) async throws -> Subprocess {
                guard version == .v5_0 else {
                    return try await tools.subscribe(to: "a/+", count: count, as: "keeper", "-c")
                }
                return try await tools.subscribe(to: "a/+", count: count, as: "keeper", "-c", "-x", "300")
            }
            func message(_ qos: UInt8) -> PeerMessage {
                PeerMessage(topic: "a/\(qos)", payload: Data("x\(qos)".utf8), qos: qos)
            }
            let first = try await subscribe(1)
            try await tools.publish(message(2))
            #expect(try await MosquittoTools.received(first) == [message(2)])
            for qos in UInt8(1)...2 { try await tools.publish(message(qos)) }
            let second = try await subscribe(2)
            #expect(try await MosquittoTools.received(second).comparable == [message(1), message(2)])
        }
    }

    private static let versions = ProtocolVersion.allCases
}
#endif

#if Tools
import Foundation
import MosquittoFixture
import Testing

@Suite(
    "curlew sub: retained messages, wills and kept sessions",
    .enabled(if: Peers.haveMosquitto, "mosquitto is not installed; scripts/test installs it"),
    .timeLimit(.minutes(2)))
struct SubscriberTests {
    private func run(_ broker: Mosquitto, _ arguments: String...) async throws -> Subprocess.Outcome {
        let command = try Subprocess.curlew(arguments + ["-p", "\(broker.port())", "-q", "1"])
        try command.endInput()
        return try await command.outcome()
    }

    private func publish(_ broker: Mosquitto, _ topic: String, _ arguments: String...) async throws {
        let command = try Subprocess.curlew(["pub", "-p", "\(broker.port())", "-t", topic, "-q", "1"] + arguments)
        try command.endInput()
        try await command.success()
    }

    @Test("--remove-retained prints the retained messages and removes them", arguments: ["3.1.1", "5"])
    func removal(version: String) async throws {
        try await Mosquitto.run { broker in
            for topic in ["old/1", "old/2", "new/1"] { try await self.publish(broker, topic, "-r", "-m", topic) }
            let removed = try await self.run(
                broker, "sub", "-t", "old/+", "--remove-retained", "-C", "2", "-V", version)
            #expect(removed.exitCode == 0)
            #expect(Set(removed.output.split(separator: "\n")) == ["old/1", "old/2"])
            // The broker sends the retained messages of the first filter before those of the second.
            let left = try await self.run(broker, "sub", "-t", "old/+", "-t", "new/+", "-C", "1", "-V", version)
            #expect(left == .init(exitCode: 0, output: "new/1\n", errors: ""))
        }
    }

    @Test(
        "The will of a killed subscriber is published, and retained if requested",
        arguments: ["3.1.1", "5"])
    func will(version: String) async throws {
        try await Mosquitto.run { broker in
            let port = try "\(broker.port())"
            let watcher = try Subprocess.curlew(
                "sub", "-p", port, "-t", "wills/#", "-C", "1", "-q", "2", "-F", "%t %p %q %r", "-d")
            #expect(await watcher.hasSaid("received SUBACK"))
            let victim = try Subprocess.curlew(
                "sub", "-p", port, "-t", "a", "-V", version, "-d", "--will-topic", "wills/one", "--will-payload",
                "gone", "--will-qos", "2", "--will-retain")
            #expect(await victim.hasSaid("received SUBACK"))
            victim.send(SIGKILL)
            #expect(try await victim.outcome().exitCode == -SIGKILL)
            #expect(try await watcher.success() == "wills/one gone 2 0\n")
            let kept = try await self.run(broker, "sub", "-t", "wills/#", "-C", "1", "-F", "%p %r")
            #expect(kept.output == "gone 1\n")
        }
    }

    @Test("-R leaves out retained messages, but not messages queued in the session", arguments: ["3.1.1", "5"])
    func keptSession(version: String) async throws {
        try await Mosquitto.run { broker in
            let session = [
                "sub", "-p", "\(try broker.port())", "-c", "-i", "keeper", "-t", "k", "-q", "1", "-R", "-V",
                version,
            ]
            try await self.publish(broker, "k", "-r", "-m", "before")
            try await Subprocess.curlew(session + ["-E"]).success()
            try await self.publish(broker, "k", "-r", "-m", "meanwhile")
            try await self.publish(broker, "k", "-m", "and then")
            for waiting in ["meanwhile", "and then"] {
                #expect(try await Subprocess.curlew(session + ["-C", "1"]).success() == waiting + "\n")
            }
            let last = try Subprocess.curlew(session + ["-C", "1", "-d"])
            #expect(await last.hasSaid("received SUBACK"))
            try await self.publish(broker, "k", "-m", "live")
            #expect(try await last.success() == "live\n")
        }
    }

    // MARK: Messages of a resumed session for an earlier run's filters

    /// Creates a session `s` with a subscription to `old` and these queued messages.
    private func leaveWaiting(_ broker: Mosquitto, _ messages: String..., version: String) async throws -> [String] {
        let session = ["sub", "-p", "\(try broker.port())", "-c", "-i", "s", "-q", "1", "-V", version]
        try await Subprocess.curlew(session + ["-t", "old", "-E"]).success()
        for message in messages { try await self.publish(broker, "old", "-m", message) }
        return session
    }

    @Test("Messages for an earlier run's filter are printed and counted", arguments: ["3.1.1", "5"])
    func formerFilter(version: String) async throws {
        try await Mosquitto.run { broker in
            let session = try await self.leaveWaiting(broker, "1", "2", version: version)
            #expect(try await Subprocess.curlew(session + ["-t", "new", "-C", "1", "-v"]).success() == "old 1\n")
            let last = try Subprocess.curlew(session + ["-t", "new", "-W", "3", "-v"])
            let outcome = try await last.outcome()
            #expect(outcome.output == "old 2\n" && outcome.exitCode == 27)
        }
    }

    @Test(
        "-E prints the messages received by then; -U unsubscribes and prints the messages queued for the filter",
        arguments: ["3.1.1", "5"])
    func endingAndGivingUp(version: String) async throws {
        try await Mosquitto.run { broker in
            let session = try await self.leaveWaiting(broker, "1", version: version)
            #expect(try await Subprocess.curlew(session + ["-t", "new", "-E"]).success() == "1\n")
            try await self.publish(broker, "old", "-m", "2")
            #expect(try await Subprocess.curlew(session + ["-t", "new", "-U", "old", "-E"]).success() == "2\n")
            try await self.publish(broker, "old", "-m", "3")
            try await self.publish(broker, "new", "-m", "4")
            #expect(try await Subprocess.curlew(session + ["-t", "new", "-C", "1"]).success() == "4\n")
        }
    }

    @Test(
        "-T discards queued messages; --retained-only exits at the first one and leaves it for the next run",
        arguments: ["3.1.1", "5"])
    func leavingOut(version: String) async throws {
        try await Mosquitto.run { broker in
            let session = try await self.leaveWaiting(broker, "1", version: version)
            #expect(try await Subprocess.curlew(session + ["-t", "new", "--retained-only"]).success() == "")
            #expect(try await Subprocess.curlew(session + ["-t", "new", "-E"]).success() == "1\n")
            try await self.publish(broker, "old", "-m", "2")
            try await self.publish(broker, "new", "-m", "3")
            let left = session + ["-t", "new", "-T", "old", "-C", "1"]
            #expect(try await Subprocess.curlew(left).success() == "3\n")
            #expect(try await Subprocess.curlew(session + ["-t", "new", "-E"]).success() == "")
        }
    }

    // MARK: Large messages

    @Test("A message of 17 MiB arrives, and so does the message after it", arguments: ["3.1.1", "5"])
    func largeMessage(version: String) async throws {
        try await Mosquitto.run { broker in
            let session = try await self.leaveWaiting(broker, version: version)
            let size = 17 << 20
            let large = try Subprocess.curlew("pub", "-p", "\(try broker.port())", "-t", "old", "-q", "1", "-s")
            try large.write(String(repeating: "x", count: size))
            try large.endInput()
            try await large.success()
            try await self.publish(broker, "old", "-m", "behind")
            let command = try Subprocess.curlew(session + ["-t", "old", "-C", "2", "-F", "%l"])
            #expect(try await command.success() == "\(size)\n6\n")
        }
    }

    @Test(
        "A given maximum packet size applies, and larger messages are reported",
        arguments: ["maximum-packet-size=1000"])
    func setMaximum(item: String) async throws {
        try await Mosquitto.run { broker in
            let session = try await self.leaveWaiting(broker, version: "3.1.1")
            try await self.publish(broker, "old", "-m", String(repeating: "x", count: 2000))
            try await self.publish(broker, "old", "-m", "behind")
            let command = try Subprocess.curlew(
                ["sub", "mqtt://localhost:\(try broker.port())/old?\(item)"] + session.dropFirst(3) + ["-C", "1"])
            let outcome = try await command.outcome()
            #expect(outcome.output == "behind\n")
            #expect(outcome.errors.contains("on the topic \"old\" has 2010 bytes"), "\(outcome.errors)")
        }
    }
}
#endif

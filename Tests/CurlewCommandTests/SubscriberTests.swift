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

        @Test("--remove-retained shows what the server had kept and leaves nothing of it", arguments: ["3.1.1", "5"])
        func removal(version: String) async throws {
            try await Mosquitto.run { broker in
                for topic in ["old/1", "old/2", "new/1"] { try await self.publish(broker, topic, "-r", "-m", topic) }
                let removed = try await self.run(
                    broker, "sub", "-t", "old/+", "--remove-retained", "-C", "2", "-V", version)
                #expect(removed.exitCode == 0)
                #expect(Set(removed.output.split(separator: "\n")) == ["old/1", "old/2"])
                // The server sends what it has for the first filter before what it has for the second.
                let left = try await self.run(broker, "sub", "-t", "old/+", "-t", "new/+", "-C", "1", "-V", version)
                #expect(left == .init(exitCode: 0, output: "new/1\n", errors: ""))
            }
        }

        @Test(
            "The will of a subscriber that was killed is published, and kept if it was to be",
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

        @Test("-R leaves out what the server has kept, not what waited in the session", arguments: ["3.1.1", "5"])
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
    }
#endif

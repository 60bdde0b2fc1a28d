#if Tools
import CurlewBroker
import Foundation
import MosquittoFixture
import Testing

@Suite("curlew collect", .timeLimit(.minutes(5)))
struct CollectTests {
    /// Runs a broker with the retained messages `home/a 1` and `home/b {"x":[2]}`.
    private func withMessages(_ body: (MQTTBroker, [String]) async throws -> Void) async throws {
        try await withLocalBroker { broker, port in
            try await broker.publish("1", to: "home/a", retain: true)
            try await broker.publish("{\"x\":[2]}", to: "home/b", retain: true)
            try await body(broker, ["-p", "\(port)"])
        }
    }

    @Test("Prints the messages and exits; too few are a failure after printing them")
    func count() async throws {
        try await self.withMessages { _, server in
            let both = try await Subprocess.curlew(["collect", "home/+", "-C", "2", "-v", "-W", "60"] + server)
                .success()
            #expect(Set(both.split(separator: "\n")) == ["home/a 1", "home/b {\"x\":[2]}"])
            let few = try await Subprocess.curlew(["collect", "home/a", "-C", "2", "-W", "5"] + server).outcome()
            #expect(few.exitCode == 27)
            #expect(few.output == "1\n")
            #expect(
                few.errors == "curlew collect: The time limit of 5.0 seconds has expired: 1 of 2 messages received; "
                    + "set another limit with -W.\n")
        }
    }

    @Test("Prints each message as it arrives")
    func immediately() async throws {
        try await self.withMessages { broker, server in
            let command = try Subprocess.curlew(["collect", "home/a", "-C", "3", "-W", "1000"] + server)
            #expect(try await command.line() == "1")
            for text in ["two", "three"] {
                #expect(command.isRunning)
                try await broker.publish(text, to: "home/a")
                #expect(try await command.line() == text)
            }
            #expect(try await command.outcome() == .init(exitCode: 0, output: "1\ntwo\nthree\n", errors: ""))
        }
    }

    @Test("A signal ends it with what came", arguments: [SIGINT, SIGTERM])
    func interrupted(signal: Int32) async throws {
        try await self.withMessages { _, server in
            let command = try Subprocess.curlew(["collect", "home/a", "-C", "2", "-W", "1000"] + server)
            try await command.line()
            command.send(signal)
            #expect(
                try await command.outcome()
                    == .init(
                        exitCode: 128 + signal, output: "1\n", errors: "curlew collect: 1 of 2 messages received.\n"))
        }
    }

    @Test("A reader that has exited ends it without an error")
    func closedReader() async throws {
        try await self.withMessages { _, server in
            let command = try Subprocess.curlew(
                ["collect", "home/a", "-C", "2", "-W", "1000"] + server, hasReader: false)
            #expect(try await command.outcome() == .init(exitCode: 0, output: "", errors: ""))
        }
    }

    @Test("-R waits for live messages, and the time limit includes connecting")
    func limits() async throws {
        try await self.withMessages { _, server in
            let live = try await Subprocess.curlew(["collect", "home/a", "-R", "-W", "0.5"] + server).outcome()
            #expect(live.exitCode == 27 && live.output == "")
        }
        let deaf = try await PacketServer.start { _, _ in [] }
        let outcome = try await Subprocess.curlew(
            "collect", "a", "-W", "0.5", "-h", "127.0.0.1", "-p", "\(deaf.port)"
        ).outcome()
        await deaf.stop()
        #expect(outcome.exitCode == 27)
        #expect(outcome.errors.contains("The time limit of 0.5 seconds has expired"))
    }

    @Test(
        "Each output option works",
        arguments: [
            ("--pretty", "{\n  \"x\": [\n    2\n  ]\n}\n"), ("-v --pretty", "home/b {\n  \"x\": [\n    2\n  ]\n}\n"),
            ("-N", "{\"x\":[2]}"), ("-N --pretty", "{\n  \"x\": [\n    2\n  ]\n}"), ("-F %t:%l", "home/b:9\n"),
            ("-F %p -N", "{\"x\":[2]}"), ("-F %J --pretty", "\t\"payload\":\t{\n\t\t\"x\":\t[2]\n\t}\n}\n"),
            ("--output json", "\"payload\":\"{\\\"x\\\":[2]}\"}\n"),
            ("--output json --pretty", "\n  \"payload\": \"{\\\"x\\\":[2]}\"\n}\n"),
            ("--output text -v --quiet", "home/b {\"x\":[2]}\n"),
        ])
    func output(options: String, ending: String) async throws {
        try await self.withMessages { _, server in
            let options = options.split(separator: " ").map(String.init)
            let outcome = try await Subprocess.curlew(["collect", "home/b", "-W", "60"] + options + server).outcome()
            #expect(outcome.exitCode == 0 && outcome.errors == "")
            #expect(outcome.output.hasSuffix(ending), "\(outcome.output)")
            if !options.contains("json"), !options.contains("%J") { #expect(outcome.output == ending) }
        }
    }

    @Test("Contradicting output options are refused", arguments: ["-F %p --output json", "-N --output json"])
    func contradictions(options: String) async throws {
        let options = options.split(separator: " ").map(String.init)
        let outcome = try await Subprocess.curlew(["collect", "a"] + options).outcome()
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.contains("--output json prints an object for each message; leave out -"))
    }

    @Test("Messages of a kept session that were not printed stay for the next run")
    func keptSession() async throws {
        try await withLocalBroker { broker, port in
            let session = ["collect", "t", "-c", "-i", "me", "-p", "\(port)"]
            try await broker.publish("0", to: "t", retain: true)
            #expect(try await Subprocess.curlew(session + ["-W", "60"]).success() == "0\n")
            for text in ["1", "2", "3"] { try await broker.publish(text, to: "t", qos: .atLeastOnce) }
            let next = session + ["-R", "-W", "60", "-C"]
            #expect(try await Subprocess.curlew(next + ["2"]).success() == "1\n2\n")
            #expect(try await Subprocess.curlew(next + ["1"]).success() == "3\n")
        }
    }
}
#endif

#if Tools
import Foundation
import MosquittoFixture
import Testing

@Suite(
    "curlew request and respond",
    .enabled(if: Peers.haveMosquitto, "mosquitto is not installed; scripts/test installs it"),
    .timeLimit(.minutes(5)))
struct AnsweringTests {
    private func responder(_ broker: Mosquitto, _ arguments: String...) async throws -> Subprocess {
        let command = try Subprocess.curlew(
            ["respond", "-p", "\(broker.port())", "-t", "svc/+", "-d"] + arguments)
        #expect(await command.hasSaid("received SUBACK"))
        return command
    }

    private func request(_ broker: Mosquitto, _ arguments: String...) async throws -> Subprocess.Outcome {
        let command = try Subprocess.curlew(
            ["request", "-p", "\(broker.port())", "-t", "svc/a", "-W", "60"] + arguments)
        try command.endInput()
        return try await command.outcome()
    }

    @Test("A template is filled in from the request")
    func template() async throws {
        try await Mosquitto.run { broker in
            let responder = try await self.responder(broker, "--template", "%t: %p")
            defer { responder.send(SIGKILL) }
            #expect(
                try await self.request(broker, "-m", "hi") == .init(exitCode: 0, output: "svc/a: hi\n", errors: ""))
        }
    }

    @Test("A command reads the request and writes the reply")
    func command() async throws {
        try await Mosquitto.run { broker in
            let responder = try await self.responder(broker, "--exec", "echo $REQUEST_TOPIC; tr a-z A-Z")
            defer { responder.send(SIGKILL) }
            #expect(try await self.request(broker, "-m", "hi", "-N").output == "svc/a\nHI")
        }
    }

    @Test("The requester gets an error if the responder's command fails")
    func failure() async throws {
        try await Mosquitto.run { broker in
            let responder = try await self.responder(broker, "--exec", "exit 3")
            defer { responder.send(SIGKILL) }
            let outcome = try await self.request(broker, "-m", "x")
            #expect(outcome.exitCode == 1)
            #expect(outcome.output == "")
            #expect(outcome.errors.contains("exit code 3"))
        }
    }

    @Test("A command gets all of a large request, and is terminated with its responder")
    func large() async throws {
        try await Mosquitto.run { broker in
            let responder = try await self.responder(broker, "--exec", "wc -c", "-C", "1")
            let requester = try Subprocess.curlew("request", "-p", "\(broker.port())", "-t", "svc/a", "-s", "-W", "60")
            try requester.write(String(repeating: "x", count: 1_000_000))
            try requester.endInput()
            #expect(
                try await requester.outcome().output.trimmingCharacters(in: .whitespacesAndNewlines) == "1000000")
            #expect(try await responder.outcome().exitCode == 0)
            let sleeping = try await self.responder(broker, "--exec", "echo here >&2; sleep 1000", "-q", "1")
            let waiting = try Subprocess.curlew(
                "request", "-p", "\(broker.port())", "-t", "svc/a", "-m", "x", "-q", "1", "-W", "60")
            #expect(await sleeping.hasSaid("here"))
            sleeping.send(SIGINT)
            #expect(try await sleeping.outcome().exitCode == 0)
            waiting.send(SIGKILL)
        }
    }

    @Test("With -e, a reply to another request is ignored")
    func correlation() async throws {
        try await Mosquitto.run { broker in
            let port = try "\(broker.port())"
            let requester = try Subprocess.curlew(
                "request", "-p", port, "-t", "svc/x", "-e", "reply/x", "-m", "x", "-d", "-V", "5", "-q", "0", "-W", "60"
            )
            #expect(await requester.hasSaid("sending PUBLISH"))
            for (data, payload) in [("other", "wrong"), ("", "right")] {
                let properties = data.isEmpty ? [] : ["-D", "publish", "correlation-data", data]
                let publisher = try Subprocess.curlew(
                    ["pub", "-p", port, "-t", "reply/x", "-m", payload, "-q", "1"] + properties)
                #expect(try await publisher.outcome().exitCode == 0)
            }
            #expect(try await requester.outcome().output == "right\n")
        }
    }
}
#endif

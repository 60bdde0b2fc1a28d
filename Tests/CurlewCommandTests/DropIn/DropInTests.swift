#if Tools
import Foundation
import MosquittoFixture
import Testing

/// Scripts that call mosquitto's commands keep working when they call `curlew` instead: each case runs mosquitto's own
/// tool, the subcommand of curlew, and curlew through a link with the tool's name, and compares the results.
@Suite(
    "Drop-in for mosquitto's commands",
    .enabled(if: Peers.haveMosquittoTools, "mosquitto is not installed; scripts/test installs it"),
    .serialized, .timeLimit(.minutes(5)))
struct DropInTests {
    @Test("mosquitto_sub: every code of -F")
    func formats() async throws { try await self.compare(DropInCase.formats) }

    @Test("mosquitto_sub: every option")
    func subscriptions() async throws { try await self.compare(DropInCase.subscriptions) }

    @Test("mosquitto_rr: every option")
    func requests() async throws {
        try await self.compare(DropInCase.requests) { world in
            let common = ["respond", "-p", "\(world.port)", "--template", "reply %p", "-q", "2", "-d"]
            let own = [
                ["-t", "svc/+", "-D", "publish", "content-type", "text"],
                ["-t", "svc-3/one", "-e", "plain/one", "-V", "3.1.1"],
                ["-t", "svc-3/two", "-e", "plain/two", "-V", "3.1.1"],
                ["-t", "svc-3/three", "-e", "plain/three", "-V", "3.1.1"],
            ]
            let responders = try own.map { try Subprocess.curlew(common + $0) }
            for responder in responders { #expect(await responder.hasSaid("received SUBACK")) }
            return responders
        }
    }

    @Test("mosquitto_pub: every option, and what subscribers receive")
    func publications() async throws {
        try await self.compare(DropInCase.publications) { world in
            let observer = try Subprocess(
                "mosquitto_sub",
                [
                    "-p", "\(world.port)", "-V", "5", "-q", "2", "-t", "pub/#", "--retain-as-published", "-F",
                    "%t|%q|%r|%x|%C|%R|%D|%P|%F",
                ])
            #expect(await observer.hasWritten("pub/ready|"))
            return [observer]
        } finish: { world, cases, running in
            try await world.publish("pub/done", ["-q", "2", "-m", "x"])
            let observer = try #require(running.first)
            #expect(await observer.hasWritten("pub/done|"))
            observer.send(SIGINT)
            let lines = try await observer.outcome().output.split(separator: "\n")
            for (index, one) in cases.enumerated() {
                let seen = DropInWorld.runners.map { who in
                    lines.compactMap { line in
                        line.hasPrefix("pub/\(index)/\(who)|") ? line.drop { $0 != "|" } : nil
                    }
                }
                #expect(one.isForLinkOnly || seen[1] == seen[0], "curlew: \(one)")
                #expect(seen[2] == seen[0], "linked: \(one)")
            }
        }
    }

    /// Runs all cases, a few at a time.
    ///
    /// - Parameters:
    ///   - prepare: Starts what the cases need besides brokers; it is stopped afterwards.
    ///   - finish: Checks the results.
    private func compare(
        _ cases: [DropInCase], prepare: (DropInWorld) async throws -> [Subprocess] = { _ in [] },
        finish: (DropInWorld, [DropInCase], [Subprocess]) async throws -> Void = { _, _, _ in }
    ) async throws {
        try await DropInWorld.run { world in
            let running = try await prepare(world)
            defer { for command in running { command.send(SIGKILL) } }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, one) in cases.enumerated() {
                    if index >= 6 { try await group.next() }
                    group.addTask { try await self.compare(one, index, in: world) }
                }
                try await group.waitForAll()
            }
            try await finish(world, cases, running)
        }
    }

    private func compare(_ one: DropInCase, _ index: Int, in world: DropInWorld) async throws {
        var outcomes: [(Subprocess.Outcome, DropInOutcome)] = []
        for runner in 0..<DropInWorld.runners.count {
            // Two topics are an error when curlew is called by its own name.
            guard !(one.isForLinkOnly && runner == 1) else {
                outcomes.append(outcomes[0])
                continue
            }
            let outcome = try await world.run(one, index, runner: runner)
            var compared = one.compared(outcome)
            compared.output = compared.output.replacing(DropInWorld.runners[runner], with: "who")
            outcomes.append((outcome, compared))
        }
        for (runner, (outcome, compared)) in outcomes.enumerated().dropFirst() {
            let name = runner == 1 ? "curlew" : "linked"
            #expect(compared == outcomes[0].1, "\(name): \(one)\n\(outcome.errors)")
            // Every failure is explained by a sentence.
            if outcome.exitCode != 0, !(one.isForLinkOnly && runner == 1), !one.arguments.contains("--quiet"),
                !one.hasTrace
            {
                let lines = outcome.errors.split(separator: "\n")
                #expect(
                    lines.count == 1 && lines[0].hasPrefix(runner == 1 ? "curlew " : "mosquitto_"),
                    "\(name): \(one)\n\(outcome.errors)")
            }
        }
    }
}
#endif

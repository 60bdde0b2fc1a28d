#if Tools
import Curlew
import CurlewBroker
import Foundation
import MosquittoFixture
import Testing

@testable import CurlewCommand

@Suite("curlew demo", .timeLimit(.minutes(3)))
struct DemoTests {
    /// The numbers in the summary.
    private struct Tally {
        let messages: Int
        let requests: Int
        let answered: Int

        init(_ output: String) throws {
            let found = try #require(
                try output.firstMatch(
                    of: Regex(
                        #"messages ([\d,]+)\n  requests ([\d,]+), answered ([\d,]+)\n  latency  median [\d.]+ ms"#
                    )))
            let numbers = (1...3).map { found[$0].substring.flatMap { Int($0.filter(\.isNumber)) } }
            self.messages = try #require(numbers[0])
            self.requests = try #require(numbers[1])
            self.answered = try #require(numbers[2])
        }
    }

    @Test("Messages arrive, requests are answered, and it exits with code 0 when its time is up")
    func limitedTime() async throws {
        let demo = try Subprocess.curlew("demo", "--seconds", "3", "--devices", "4")
        let outcome = try await demo.outcome()
        #expect(outcome.exitCode == 0)
        #expect(outcome.errors == "")
        // No control sequences.
        #expect(!outcome.output.contains { $0 == "\u{1B}" || $0 == "\r" })
        let tally = try Tally(outcome.output)
        // Each of the four devices publishes online, offline and at least one reading.
        #expect(tally.messages >= 12)
        #expect(tally.requests > 0)
        #expect(tally.answered > 0)
        for name in ["thermometer", "barometer", "anemometer", "hygrometer"] {
            for status in ["online", "offline"] {
                #expect(outcome.output.contains(try Regex("  status   \(name) +\(status)\n")), "\(name) \(status)")
            }
        }
    }

    @Test("Other clients can join in, and a signal ends the demo", arguments: [SIGINT, SIGTERM])
    func joining(signal: Int32) async throws {
        let demo = try Subprocess.curlew("demo", "--devices", "1")
        let introduction = try await demo.line { $0.contains("mqtt://127.0.0.1:") }
        let port = String(try #require(introduction.firstMatch(of: #/127\.0\.0\.1:(\d+)/#)).1)
        _ = try await demo.line { $0.contains("online") }
        let subscriber = try Subprocess.curlew("sub", "-p", port, "-t", "fleet/+/reading", "-C", "1", "-W", "60")
        let reading = try JSONDecoder().decode(
            DemoDevice.Reading.self, from: Data(try await subscriber.success().utf8))
        #expect(reading.unit == "°C")
        #expect(try await self.ask("highest", port).output.hasSuffix(" °C\n"))
        #expect(try await self.ask("colour", port).errors.contains("Known requests: mean"))
        demo.send(signal)
        let outcome = try await demo.outcome()
        #expect(outcome.exitCode == 0)
        #expect(outcome.errors == "")
        #expect(outcome.output.contains("After "))
    }

    /// Repeats the request until there is a reply, since the device disconnects now and then.
    private func ask(_ question: String, _ port: String) async throws -> Subprocess.Outcome {
        for _ in 0..<30 {
            let outcome = try await Subprocess.curlew(
                "request", "-p", port, "-t", "fleet/thermometer/ask", "-W", "10", "-m", question
            ).outcome()
            if outcome.exitCode != 27, !outcome.errors.contains("Nobody has subscribed") { return outcome }
        }
        throw CancellationError()
    }

    @Test("It exits without an error when its reader exits")
    func brokenPipe() async throws {
        let demo = try Subprocess.curlew(["demo"], hasReader: false)
        #expect(try await demo.outcome() == .init(exitCode: 0, output: "", errors: ""))
    }

    @Test("A port in use is reported in one sentence")
    func portInUse() async throws {
        let broker = MQTTBroker(MQTTBrokerConfiguration(listeners: [.tcp(port: 0)]))
        try await broker.start()
        let port = try #require(await broker.listeners.first?.port)
        let outcome = try await Subprocess.curlew("demo", "-p", "\(port)").outcome()
        await broker.stop()
        #expect(outcome.exitCode == 1)
        #expect(outcome.output == "")
        #expect(outcome.errors.hasPrefix("curlew demo: ") && outcome.errors.contains("\(port)"))
        #expect(outcome.errors.count { $0 == "\n" } == 1)
    }

    @Test("When a device vanishes, its will is published, and it reconnects")
    func vanishing() async throws {
        let broker = MQTTBroker(MQTTBrokerConfiguration(listeners: [.tcp(port: 0)]))
        try await broker.start()
        let port = try #require(await broker.listeners.first?.port)
        let statuses = try await broker.subscribe(to: "fleet/+/status")
        let sensor = try #require(DemoSensor.fleet(1).first)
        let device = try DemoDevice(
            sensor, server: .mqtt("127.0.0.1", port: port), delay: .zero, absence: .milliseconds(50))
        let life = Task { try await device.live() }
        var seen: [String] = []
        for await status in statuses {
            seen.append(status.text)
            if seen == ["online"] { device.vanish() }
            if seen.count == 3 { break }
        }
        #expect(seen == ["online", "vanished", "online"])
        life.cancel()
        _ = await life.result
        await device.leave()
        #expect(try broker.retained(matching: "fleet/+/status").map(\.text) == ["offline"])
        await broker.stop()
    }

    @Test("Device names are unique, and values are within bounds")
    func sensors() {
        let fleet = DemoSensor.fleet(100)
        #expect(Set(fleet.map(\.name)).count == 100)
        let thermometer = fleet[0]
        let values = (0..<1000).map { thermometer.value(at: .milliseconds(100) * $0) }
        #expect(values.allSatisfy { (18...24).contains($0) })
        #expect(zip(values, values.dropFirst()).allSatisfy { ($0 - $1).magnitude <= 0.5 })
    }

    @Test("Lines have columns, and are shortened on a narrow terminal")
    func lines() {
        let line = DemoLine(
            time: .milliseconds(1234), kind: .request, device: "barometer", text: "mean? 1007.3 hPa",
            note: "0.41 ms")
        func text(_ width: Int?, hasColour: Bool = false) -> String {
            line.text(in: .init(nameWidth: 11, width: width, hasColour: hasColour))
        }
        #expect(text(nil) == "    1.234  request  barometer    mean? 1007.3 hPa      0.41 ms")
        #expect(text(80) == text(nil))
        #expect(text(60) == "  1.234  barometer    mean? 1007.3 hPa  0.41 ms")
        #expect(text(42) == "  1.234  barometer    mean? 1007.3 hPa")
        #expect(text(30) == "  1.234  barometer    mean? 1…")
        #expect(text(1) == "…")
        #expect(text(80, hasColour: true).replacing(#/\u{1B}\[\d+m/#, with: "") == text(80))
    }
}
#endif

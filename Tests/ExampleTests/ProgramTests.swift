import Curlew
import CurlewTesting
import Foundation
import MosquittoFixture
import Testing

/// The programs of the folder Examples, run as a user runs them.
@Suite("Example programs", .bounded)
struct ProgramTests {
    private func start(
        _ program: String, _ arguments: String..., server: MQTTConfiguration.Server, port: Int = 0
    ) throws -> Subprocess {
        var environment = ProcessInfo.processInfo.environment
        environment["MQTT_URL"] = "mqtt://127.0.0.1:\(server.port)"
        environment["PORT"] = "\(port)"
        return try Subprocess(Subprocess.products.appending(path: program).path, arguments, environment: environment)
    }

    @Test("The device publishes readings and answers calls; the agent asks it; it ends cleanly")
    func deviceAndAgent() async throws {
        try await withBroker { broker in
            let server = await broker.server
            let client = try await broker.connectedClient()
            let device = try self.start("Device", "thermostat-7", server: server)
            defer { device.send(SIGKILL) }
            try await client.waitForSubscriber(of: "thermostat-7/rpc")
            let reading = try await client.first(from: "thermostat-7/temperature", within: .seconds(60))
            #expect(Double(reading.text) != nil)
            let thermostat = client.device("thermostat-7", .jsonRPC)
            let status = try await thermostat.call("Target.Set", ["celsius": 25], within: .seconds(60))
            #expect(status["target"] == 25)
            let refused = try await failure {
                try await thermostat.call("Target.Set", ["celsius": 99], within: .seconds(60))
            }
            #expect(refused.deviceError?.code == 400)
            let agent = try self.start("Agent", "thermostat-7", "thermostat-8", server: server)
            let output = try await agent.success()
            #expect(output.contains("thermostat-7: ") && output.contains("wanted 25.0 °C"))
            #expect(output.contains("thermostat-8: no responder"))
            device.send(SIGTERM)
            #expect(try await device.end() == 0)
        }
    }

    @Test("Without a broker, a program ends with one sentence")
    func noBroker() async throws {
        let outcome = try await self.start("Agent", "thermostat-7", server: .mqtt("127.0.0.1", port: 1)).outcome()
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.split(separator: "\n").count == 1)
    }

    @Test("The web service calls devices and streams their readings")
    func webService() async throws {
        try await withBroker { broker in
            let server = await broker.server
            let client = try await broker.connectedClient()
            let device = try self.start("Device", "thermostat-7", server: server)
            defer { device.send(SIGKILL) }
            try await client.waitForSubscriber(of: "thermostat-7/rpc")
            let web = try self.start("WebService", server: server)
            defer { web.send(SIGKILL) }
            let line = try #require(await web.errors.line { $0.contains("listening on 127.0.0.1:") })
            let port = try #require(line.split(separator: ":").last)
            func curl(_ arguments: String...) async throws -> String {
                try await Subprocess("curl", ["-s", "--max-time", "60"] + arguments).success()
            }
            let url = "http://127.0.0.1:\(port)"
            let answer = try await curl("-d", "{\"celsius\":22}", "\(url)/devices/thermostat-7/Target.Set")
            #expect(answer.contains("\"target\":22"))
            let status = ["-o", "/dev/null", "-w", "%{http_code}"]
            #expect(
                try await curl(status[0], status[1], status[2], status[3], "-d", "{}", "\(url)/devices/off/X") == "504")
            #expect(
                try await curl(
                    status[0], status[1], status[2], status[3], "-d", "{\"celsius\":99}",
                    "\(url)/devices/thermostat-7/Target.Set") == "502")
            let stream = try Subprocess("curl", ["-sN", "--max-time", "60", "\(url)/temperatures"])
            defer { stream.send(SIGKILL) }
            #expect(try await stream.line { $0.hasPrefix("event: ") } == "event: thermostat-7/temperature")
            web.send(SIGTERM)
            #expect(try await web.end() == 0)
            device.send(SIGTERM)
            #expect(try await device.end() == 0)
        }
    }
}

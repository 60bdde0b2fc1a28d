import Curlew
import MosquittoFixture
import Testing

@Suite("A service with a connection in the background", .bounded)
struct SensorServiceTests {
    struct Setup: CustomTestStringConvertible {
        let broker: ExampleBroker
        let listener: Mosquitto.Listener

        var testDescription: String { "\(self.broker), \(self.listener)" }

        static let all = ExampleBroker.available.flatMap { broker in
            [Mosquitto.Listener.tcp, .tls, .mutualTLS].map { Setup(broker: broker, listener: $0) }
        }

        func configuration(_ broker: RunningBroker) throws -> MQTTConfiguration {
            let certificate = (Certificates.certificate("client"), Certificates.key("client"))
            return try SensorService.configuration(
                broker.url, authority: self.listener.isSecure ? Certificates.authority : nil,
                certificate: self.listener == .mutualTLS ? certificate : nil)
        }
    }

    @Test("It connects, publishes, handles commands and stops without a loss", arguments: Setup.all)
    func run(_ setup: Setup) async throws {
        try await setup.broker.run(setup.listener) { broker in
            let watcher = try await broker.connectedClient()
            let temperatures = try await watcher.subscribe(to: "sensors/+/temperature")
            let log = Record()
            let service = try SensorService(setup.configuration(broker), logger: log.logger)
            let (measurements, sensor) = AsyncStream<Double>.makeStream()
            let running = Task { try await service.run(measurements: measurements) }
            try await log.wait(for: "info connected")
            try await watcher.waitForSubscriber(of: "sensors/1/command", "restart")
            try await watcher.waitForSubscriber(of: "sensors/1/alarm", "fire")
            try await log.wait(for: "info command restart")
            try await log.wait(for: "warning alarm fire")
            for number in 0..<100 { sensor.yield(Double(number)) }
            sensor.finish()
            try await running.value
            for number in 0..<100 {
                #expect(try await temperatures.next(within: .seconds(60))?.text == "\(Double(number))")
            }
            #expect(!log.all.contains { $0.hasPrefix("error") })
        }
    }

    @Test("It says in the log when it connects again, after a second", arguments: ExampleBroker.available)
    func reconnecting(_ broker: ExampleBroker) async throws {
        try await broker.run { broker in
            let log = Record()
            let service = try SensorService(SensorService.configuration(broker.url), logger: log.logger)
            let (measurements, sensor) = AsyncStream<Double>.makeStream()
            let running = Task { try await service.run(measurements: measurements) }
            try await log.wait(for: "info connected")
            let watcher = try await broker.connectedClient {
                $0.reconnect.initialDelay = .milliseconds(300)
                $0.reconnect.maximumDelay = .milliseconds(300)
            }
            try await watcher.waitForSubscriber(of: "sensors/1/command", "before")
            try await broker.interrupt()
            sensor.yield(21.5)
            try await log.wait(for: "info connecting again after=1.0 seconds attempt=1")
            try await eventually("another connection") { log.all.count { $0.hasPrefix("info connected") } == 2 }
            let temperatures = try await watcher.subscribe(to: "sensors/+/temperature")
            try await watcher.waitForSubscriber(of: "sensors/1/command", "after")
            try await log.wait(for: "info command after")
            sensor.yield(22)
            #expect(try await temperatures.first { $0.text == "22.0" } != nil)
            sensor.finish()
            try await running.value
            #expect(!log.all.contains { $0.hasPrefix("error") })
        }
    }

    @Test("It gives up after twelve tries, and says so")
    func givesUp() async throws {
        var configuration = try SensorService.configuration("mqtt://127.0.0.1:1")
        configuration.reconnect.initialDelay = .milliseconds(1)
        configuration.reconnect.minimumDelay = .zero
        configuration.reconnect.maximumDelay = .milliseconds(1)
        let log = Record()
        let service = try SensorService(configuration, logger: log.logger)
        let (measurements, sensor) = AsyncStream<Double>.makeStream()
        let error = try await failure { try await service.run(measurements: measurements) }
        #expect(error.code == .connectionFailed)
        #expect(log.all.contains { $0.hasPrefix("error giving up") && $0.hasSuffix("tries=12") })
        sensor.finish()
    }

    @Test("One line publishes, publishes several messages, and collects", arguments: ExampleBroker.available)
    func lines(_ broker: ExampleBroker) async throws {
        try await broker.run { broker in
            let states = try await oneLiners(broker.url)
            #expect(Set(states) == ["home/lamp on", "home/fan off", "home/heater on"])
        }
    }
}

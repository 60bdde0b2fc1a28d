import Curlew
import Foundation
import Logging
import ServiceLifecycle
import UnixSignals

/// A thermostat: publishes its temperature, answers calls, and ends cleanly at SIGINT and SIGTERM.
///
/// Run `curlew broker` and, in other terminals, `swift run Device thermostat-7` and
/// `curlew call thermostat-7 Target.Set '{"celsius":22}' --dialect jsonrpc`.
@main
struct Device {
    static func main() async throws {
        let name = CommandLine.arguments.dropFirst().first ?? "thermostat-7"
        let logger = Logger(label: name)
        var configuration = try MQTTConfiguration(environment: MQTTConfiguration.processEnvironment)
        configuration.clientIdentifier = .given(name)
        // Readings that are older than a restart of the broker are still of interest, so the session is kept.
        configuration.session.cleanStart = false
        configuration.session.expiry = .after(.seconds(3600))
        let client = try MQTTClient(configuration, logger: logger)
        do {
            try await ServiceGroup(
                services: [client, Thermostat(name: name, client: client)],
                gracefulShutdownSignals: [.sigint, .sigterm], logger: logger
            ).run()
        } catch let error as MQTTError {
            // One sentence for people, instead of a trace.
            logger.error("\(error)")
            exit(1)
        }
    }
}

/// What the device does while it is connected.
struct Thermostat: Service {
    let name: String
    let client: MQTTClient
    let heating = Heating()

    func run() async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { try await cancelWhenGracefulShutdown { try await self.answer() } }
            group.addTask { try await self.publishReadings() }
            while try await group.next() != nil {}
        }
    }

    private func answer() async throws {
        try await self.client.serve(self.name, .jsonRPC) {
            OnCall("Status.Get") { await self.heating.status }
            OnCall("Target.Set") { (target: Heating.Target) in try await self.heating.set(target) }
        }
    }

    private func publishReadings() async throws {
        for await status in self.heating.readings(every: .seconds(1)).cancelOnGracefulShutdown() {
            // In the outbox, also while there is no connection. What is there is sent before the client disconnects.
            try self.client.enqueue(
                "\(status.celsius)", to: "\(self.name)/temperature", qos: .atLeastOnce, retain: true)
        }
    }
}

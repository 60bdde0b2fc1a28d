import Curlew
import ServiceLifecycle

/// A reading that a device publishes as JSON.
struct Reading: Codable {
    let date: String
    let value: Double
    let unit: String
}

/// A device with one sensor. It publishes whether it is online and a reading twice a second, and answers requests about
/// its readings so far.
actor Device: Service {
    nonisolated let name: String
    private let client: MQTTClient
    private let days: [Day]
    private let sensor: @Sendable (Day) -> Double
    private let unit: String
    private var values: [Double] = []

    init(
        _ name: String, publishes sensor: @escaping @Sendable (Day) -> Double, in unit: String, of days: [Day],
        server: MQTTConfiguration.Server
    ) throws {
        var configuration = MQTTConfiguration(server: server)
        configuration.clientIdentifier = .generated(prefix: name)
        // If the device vanishes, the broker publishes that it is offline.
        configuration.will = .init(topic: "fleet/\(name)/status", text: "offline", qos: .atLeastOnce, retain: true)
        self.name = name
        self.client = try MQTTClient(configuration)
        self.days = days
        self.sensor = sensor
        self.unit = unit
    }

    func run() async throws {
        try await self.client.connect()
        try await self.client.publish("online", to: "fleet/\(self.name)/status", qos: .atLeastOnce, retain: true)
        try await untilShutdown {
            try await withThrowingTaskGroup { group in
                group.addTask { try await self.publishReadings() }
                group.addTask { try await self.answerQuestions() }
                try await group.waitForAll()
            }
        }
        try await self.client.publish("offline", to: "fleet/\(self.name)/status", qos: .atLeastOnce, retain: true)
        await self.client.disconnect()
    }

    private func publishReadings() async throws {
        while true {
            for day in self.days {
                let reading = Reading(date: day.date, value: self.sensor(day), unit: self.unit)
                self.values.append(reading.value)
                // Retained, so that a later subscriber gets the latest reading at once.
                try await self.client.publish(
                    json: reading, to: "fleet/\(self.name)/reading", qos: .atLeastOnce, retain: true)
                try await Task.sleep(for: .milliseconds(500))
            }
        }
    }

    private func answerQuestions() async throws {
        try await self.client.respond(to: "fleet/\(self.name)/ask") { request in
            try await self.answer(request.text)
        }
    }

    /// The requester gets any error that this throws.
    private func answer(_ question: String) throws -> String {
        guard let least = self.values.min(), let most = self.values.max() else { throw Failure.nothingRead }
        let days = "of \(self.values.count) \(self.values.count == 1 ? "day" : "days")"
        switch question {
        case "lowest": return "\(least) \(self.unit) \(days)"
        case "highest": return "\(most) \(self.unit) \(days)"
        default: throw Failure.unknownQuestion
        }
    }

    enum Failure: Error {
        case nothingRead
        case unknownQuestion
    }
}

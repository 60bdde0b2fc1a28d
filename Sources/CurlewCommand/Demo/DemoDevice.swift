#if Tools
import Curlew
import CurlewCore

/// A simulated device. It says that it is there, publishes a reading each second, and answers questions about what it has read;
/// if it vanishes, its will says so.
actor DemoDevice {
    /// What a device says of itself, retained.
    enum Status: String, Sendable {
        case online
        /// It has said goodbye.
        case offline
        /// It has not: the broker says so in its place.
        case vanished
    }

    /// What a device publishes, as JSON.
    struct Reading: Codable, Sendable, Equatable {
        let value: Double
        let unit: String
    }

    /// What a device can be asked.
    enum Question: String, CaseIterable, Sendable {
        case mean, highest, lowest
    }

    /// What the one who asked gets to see in place of an answer.
    struct Misunderstanding: Error, CustomStringConvertible {
        let description: String
    }

    nonisolated let name: String
    private let sensor: DemoSensor
    private let client: MQTTClient
    private let plug: DemoPlug
    private let delay: Duration
    private let started = ContinuousClock.now
    private var count = 0
    private var sum = 0.0
    private var highest = -Double.infinity
    private var lowest = Double.infinity

    /// - Parameters:
    ///   - delay: How long it waits with its first reading, so that devices take turns.
    ///   - absence: How long it stays away at the least when it has vanished.
    init(_ sensor: DemoSensor, server: MQTTConfiguration.Server, delay: Duration, absence: Duration) throws {
        var configuration = MQTTConfiguration(server: server)
        configuration.clientIdentifier = .generated(prefix: sensor.name)
        configuration.will = .init(
            topic: Self.statusTopic(sensor.name), text: Status.vanished.rawValue, qos: .atLeastOnce, retain: true)
        // Questions to a device that is away shall not wait for it.
        configuration.session.expiry = .withConnection
        configuration.reconnect.floor = absence
        configuration.reconnect.base = absence
        configuration.reconnect.cap = absence * 2
        configuration.reconnect.stableAfter = .zero
        self.plug = try DemoPlug()
        configuration.connectorOverride = self.plug
        self.name = sensor.name
        self.sensor = sensor
        self.delay = delay
        self.client = try MQTTClient(configuration)
    }

    static func statusTopic(_ name: String) -> String { "fleet/\(name)/status" }
    static func readingTopic(_ name: String) -> String { "fleet/\(name)/reading" }
    static func questionTopic(_ name: String) -> String { "fleet/\(name)/ask" }

    /// Lives, until the task is cancelled.
    ///
    /// - Throws: What has kept it from it.
    func live() async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { try await self.sayThatItIsThere() }
            group.addTask { try await self.publishReadings() }
            group.addTask { try await self.answerQuestions() }
            // All of them go on until they are cancelled, or fail.
            try await group.next()
            group.cancelAll()
        }
    }

    /// Says goodbye, as far as it is there.
    func leave() async {
        if self.client.state == .connected {
            _ = try? await self.client.publish(
                Status.offline.rawValue, to: Self.statusTopic(self.name), qos: .atLeastOnce, retain: true,
                timeout: .seconds(2))
        }
        await self.client.disconnect(drain: .seconds(2))
    }

    /// Ends its connection without a word to anybody; after a while it comes back.
    nonisolated func vanish() { self.plug.pull() }

    private func sayThatItIsThere() async throws {
        let events = self.client.events
        try await self.client.connect()
        for await event in events {
            switch event {
            case .connected:
                try await self.client.publish(
                    Status.online.rawValue, to: Self.statusTopic(self.name), qos: .atLeastOnce, retain: true)
            case .stopped(let error?): throw error
            default: break
            }
        }
    }

    private func publishReadings() async throws {
        try await Task.sleep(for: self.delay)
        while true {
            let reading = Reading(
                value: self.sensor.value(at: self.started.duration(to: .now)), unit: self.sensor.unit)
            self.count += 1
            self.sum += reading.value
            self.highest = max(self.highest, reading.value)
            self.lowest = min(self.lowest, reading.value)
            try await self.client.publish(json: reading, to: Self.readingTopic(self.name), qos: .atLeastOnce)
            try await Task.sleep(for: .seconds(1))
        }
    }

    private func answerQuestions() async throws {
        try await self.client.respond(to: Self.questionTopic(self.name)) { request in
            try await self.answer(request.text)
        }
    }

    private func answer(_ text: String) throws -> String {
        guard let question = Question(rawValue: text) else {
            let known = Question.allCases.map(\.rawValue).joined(separator: ", ")
            throw Misunderstanding(description: "I can be asked: \(known)")
        }
        guard self.count > 0 else { throw Misunderstanding(description: "I have read nothing yet") }
        let value =
            switch question {
            case .mean: self.sum / Double(self.count)
            case .highest: self.highest
            case .lowest: self.lowest
            }
        return "\(value.decimal(1)) \(self.sensor.unit)"
    }
}
#endif

#if Tools
import Curlew
import CurlewCore

/// A simulated device. It publishes its status, publishes a reading each second, and answers requests about its
/// readings. If it disconnects unexpectedly, the broker publishes its will.
actor DemoDevice {
    /// The retained status of a device.
    enum Status: String, Sendable {
        case online
        /// It has disconnected properly.
        case offline
        /// It has disconnected unexpectedly: this is its will.
        case vanished
    }

    /// A reading, published as JSON.
    struct Reading: Codable, Sendable, Equatable {
        let value: Double
        let unit: String
    }

    /// The requests that a device answers.
    enum Question: String, CaseIterable, Sendable {
        case mean, highest, lowest
    }

    /// Why a request cannot be answered, for the requester.
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
    ///   - delay: The time before its first reading, so that devices take turns.
    ///   - absence: The minimum time before it reconnects.
    init(_ sensor: DemoSensor, server: MQTTConfiguration.Server, delay: Duration, absence: Duration) throws {
        var configuration = MQTTConfiguration(server: server)
        configuration.clientIdentifier = .generated(prefix: sensor.name)
        configuration.will = .init(
            topic: Self.statusTopic(sensor.name), text: Status.vanished.rawValue, qos: .atLeastOnce, retain: true)
        // Requests must not be queued for a device that is offline.
        configuration.session.expiry = .withConnection
        configuration.reconnect.minimumDelay = absence
        configuration.reconnect.initialDelay = absence
        configuration.reconnect.maximumDelay = absence * 2
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

    /// Runs the device until the task is cancelled.
    ///
    /// - Throws: If the device cannot connect or stops.
    func live() async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { try await self.sayThatItIsThere() }
            group.addTask { try await self.publishReadings() }
            group.addTask { try await self.answerQuestions() }
            // Each of them runs until it is cancelled or fails.
            try await group.next()
            group.cancelAll()
        }
    }

    /// Publishes the offline status if it is connected, and disconnects.
    func leave() async {
        if self.client.state == .connected {
            _ = try? await self.client.publish(
                Status.offline.rawValue, to: Self.statusTopic(self.name), qos: .atLeastOnce, retain: true,
                timeout: .seconds(2))
        }
        await self.client.disconnect(drain: .seconds(2))
    }

    /// Cuts its connection without DISCONNECT. It reconnects after a while.
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
            throw Misunderstanding(description: "Known requests: \(known)")
        }
        guard self.count > 0 else { throw Misunderstanding(description: "There is no reading yet") }
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

import Curlew
import Foundation
import ServiceLifecycle

/// Shows what the fleet publishes, sends a request now and then, and prints a summary at the end.
actor Console: Service {
    private let client: MQTTClient
    private let devices: [String]
    private let started = ContinuousClock.now
    private var messages = 0
    private var requests = 0
    private var latencies: [Duration] = []

    init(asking devices: [String], server: MQTTConfiguration.Server) throws {
        var configuration = MQTTConfiguration(server: server)
        configuration.clientIdentifier = .generated(prefix: "console")
        self.client = try MQTTClient(configuration)
        self.devices = devices
    }

    func run() async throws {
        try await self.client.connect()
        let status = try await self.client.subscribe(to: "fleet/+/status")
        let readings = try await self.client.subscribe(to: "fleet/+/reading")
        try await withThrowingTaskGroup { group in
            group.addTask { try await self.showStatus(status) }
            group.addTask { try await self.showReadings(readings) }
            try await untilShutdown { try await self.ask() }
            // The subscriptions end with the connection, and the loops over them with the subscriptions.
            await self.client.disconnect()
            try await group.waitForAll()
        }
        self.sumUp()
    }

    private func showStatus(_ messages: MQTTSubscription) async throws {
        for try await message in messages {
            self.messages += 1
            self.show("status", message.device, message.text)
        }
    }

    private func showReadings(_ messages: MQTTSubscription) async throws {
        for try await message in messages {
            let reading = try message.decode(Reading.self)
            self.messages += 1
            self.show("reading", message.device, "\(reading.date)  \(reading.value) \(reading.unit)")
        }
    }

    private func ask() async throws {
        while true {
            for question in ["highest", "lowest"] {
                for device in self.devices {
                    try await Task.sleep(for: .milliseconds(700))
                    try await self.ask(device, question)
                }
            }
        }
    }

    private func ask(_ device: String, _ question: String) async throws {
        let asked = ContinuousClock.now
        let outcome: String
        do {
            let answer = try await self.client.request(question, to: "fleet/\(device)/ask", timeout: .seconds(2))
            let latency = asked.duration(to: .now)
            self.latencies.append(latency)
            outcome = "\(question)? \(answer.text)".column(38) + latency.inMilliseconds
        } catch let error as MQTTError where error.code != .cancelled {
            outcome = "\(question)? \(error.message)"
        }
        self.requests += 1
        self.show("request", device, outcome)
    }

    /// Prints one line: time, kind, device and text.
    private func show(_ kind: String, _ device: String, _ text: String) {
        let seconds = self.started.duration(to: .now) / .seconds(1)
        printLine(String(format: "%8.3f s  ", seconds) + kind.column(9) + device.column(13) + text)
    }

    private func sumUp() {
        let seconds = self.started.duration(to: .now) / .seconds(1)
        var line = String(format: "In %.1f s: ", seconds) + "\(self.messages) messages; \(self.requests) requests"
        line += self.latencies.count == self.requests ? ", all answered" : ", \(self.latencies.count) answered"
        let sorted = self.latencies.sorted()
        if let slowest = sorted.last {
            line += "; latency: median \(sorted[sorted.count / 2].inMilliseconds), longest \(slowest.inMilliseconds)"
        }
        printLine("\n" + line)
    }
}

extension MQTTMessage {
    /// The device in `fleet/DEVICE/…`.
    fileprivate var device: String { String(self.topic.string.split(separator: "/")[1]) }
}

extension String {
    fileprivate func column(_ width: Int) -> String { self + String(repeating: " ", count: max(1, width - self.count)) }
}

extension Duration {
    fileprivate var inMilliseconds: String { String(format: "%.2f ms", self / .milliseconds(1)) }
}

/// Prints a line at once, even into a pipe or a file.
private func printLine(_ line: String) {
    print(line)
    fflush(nil)
}

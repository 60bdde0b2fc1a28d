#if Tools
import Curlew
import CurlewCore
import CurlewTransport

/// Observes the devices, sends them requests, and prints what happens.
actor DemoConsole {
    private let client: MQTTClient
    private let output: DemoOutput
    private let started = ContinuousClock.now
    private var tally = DemoTally()
    /// The devices whose last known status is online.
    private var present: Set<ExactText> = []
    /// The devices that have been online before, for which online means that they are back.
    private var known: Set<ExactText> = []
    /// Set when the last device has gone offline, if something waits for that.
    private var allGone: OneShot<Void>?

    init(_ output: DemoOutput, server: MQTTConfiguration.Server) throws {
        var configuration = MQTTConfiguration(server: server)
        configuration.clientIdentifier = .generated(prefix: "console")
        self.client = try MQTTClient(configuration)
        self.output = output
    }

    /// Connects and subscribes.
    func join() async throws -> MQTTSubscription {
        try await self.client.connect()
        return try await self.client.subscribe(to: [
            TopicSubscription(DemoDevice.statusTopic("+")), TopicSubscription(DemoDevice.readingTopic("+")),
        ])
    }

    /// Disconnects. Its subscription ends after the last message has been read.
    func leave() async { await self.client.disconnect() }

    // MARK: Messages

    /// Prints messages until the subscription ends.
    func watch(_ messages: MQTTSubscription) async throws {
        for try await message in messages {
            self.tally.messages += 1
            // Because of the filters, there are three levels. The content is untrusted: anybody may have joined in.
            let levels = message.topic.string.split(separator: "/", omittingEmptySubsequences: false)
            let name = String(levels[1]).printable(keepsLines: false)
            let text = message.text.printable(keepsLines: false)
            if levels[2] == "status" {
                try await self.show(status: text, of: name)
            } else {
                let reading = try? message.decode(DemoDevice.Reading.self)
                try await self.show(.reading, name, reading.map { "\($0.value) \($0.unit.printable)" } ?? text)
            }
        }
    }

    private func show(status text: String, of name: String) async throws {
        let status = DemoDevice.Status(rawValue: text)
        if status == .online { self.present.insert(ExactText(name)) } else { self.present.remove(ExactText(name)) }
        if self.present.isEmpty { self.allGone?.set(()) }
        let note =
            switch status {
            case .online: self.known.insert(ExactText(name)).inserted ? "" : "is back"
            case .vanished: "its will, published by the broker"
            case .offline, nil: ""
            }
        try await self.show(.status, name, text, note, isRetained: true)
    }

    /// Waits until all devices are offline.
    func waitUntilAllAreGone(within limit: Duration) async {
        guard !self.present.isEmpty else { return }
        let allGone = OneShot<Void>()
        self.allGone = allGone
        _ = await allGone.wait(within: limit)
    }

    // MARK: Requests and interruptions

    /// Sends each question to each device in turn, until the task is cancelled.
    func ask(_ names: [String]) async throws {
        while true {
            for question in DemoDevice.Question.allCases {
                for name in names {
                    try await Task.sleep(for: .milliseconds(500))
                    try await self.ask(question, of: name)
                }
            }
        }
    }

    private func ask(_ question: DemoDevice.Question, of name: String) async throws {
        let asked = ContinuousClock.now
        let text: String
        let note: String
        do {
            let answer = try await self.client.request(
                question.rawValue, to: DemoDevice.questionTopic(name), timeout: .seconds(5))
            let latency = asked.duration(to: .now)
            self.tally.latencies.record(latency)
            self.tally.answered += 1
            text = answer.text.printable(keepsLines: false)
            note = DemoTally.milliseconds(latency / .microseconds(1))
        } catch {
            let error = MQTTError(of: error)
            switch error.code {
            case .cancelled, .clientStopped: throw error
            case .noMatchingSubscribers: (text, note) = ("no reply", "no responder is subscribed")
            default: (text, note) = ("no reply", error.sentence)
            }
        }
        self.tally.requests += 1
        try await self.show(.request, name, "\(question.rawValue)? \(text)", note)
    }

    /// Cuts the connection of one device after the other, until the task is cancelled.
    func disturb(_ devices: [DemoDevice]) async throws {
        try await Task.sleep(for: .seconds(6))
        while true {
            for device in devices {
                try await self.show(.demo, device.name, "unplugged", "without DISCONNECT")
                device.vanish()
                try await Task.sleep(for: .seconds(12))
            }
        }
    }

    // MARK: Lines

    private func show(
        _ kind: DemoLine.Kind, _ name: String, _ text: String, _ note: String = "", isRetained: Bool = false
    ) async throws {
        try await self.output.write(
            DemoLine(
                time: self.started.duration(to: .now), kind: kind, device: name, text: text, note: note,
                isRetained: isRetained))
    }

    func sumUp() async throws {
        try await self.output.write("\n" + self.tally.text(after: self.started.duration(to: .now)))
    }
}
#endif

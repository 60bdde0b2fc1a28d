import Curlew

// README: thermometer
/// Publishes a temperature, then shows all of them.
func showTemperatures(_ url: String, show: (String) -> Void) async throws {
    let client = try MQTTClient(url)
    try await client.connect()  // and stays connected from here on
    let temperatures = try await client.subscribe(to: "home/+/temperature")
    try await client.publish("21.5", to: "home/kitchen/temperature", qos: .atLeastOnce)
    for try await message in temperatures {
        show("\(message.topic) \(message.text)")
    }
    await client.disconnect()
}
// README end

// README: home
/// The model of an app: what the user sees.
@MainActor
final class Home {
    private(set) var isConnected = false
    private(set) var states: [String: String] = [:]
    private let client: MQTTClient

    init(_ url: String) throws {
        var configuration = try MQTTConfiguration(url: url)
        configuration.reconnect = .interactive
        client = try MQTTClient(configuration)
    }

    /// Runs until its task is cancelled, as SwiftUI's `task` does it.
    func run() async throws {
        let events = client.events  // before `connect`, to see all of them
        let messages = try client.messages(matching: ["home/+/state"])
        async let _: Void = watch(events)  // until the end of this method
        try await client.connect(retrying: true)
        for try await message in messages { states[message.topic.string] = message.text }
        await client.disconnect()
        isConnected = false
    }

    private func watch(_ events: some AsyncSequence<MQTTEvent, Never>) async {
        for await event in events {
            switch event {
            case .connected: isConnected = true
            case .disconnected, .stopped: isConnected = false
            default: break
            }
        }
    }

    func setLamp(_ state: String) async throws {
        try await client.publish(state, to: "home/lamp/set", qos: .atLeastOnce)
    }
}
// README end

#if Tools
import ArgumentParser
import Curlew

/// The value of --dialect: a name, and for some dialects a topic after a colon.
struct DialectArgument: CheckedArgument, Sendable {
    static let expectation =
        "one of \(Self.names.joined(separator: ", ")); mqtt5:TOPIC with {device}, zigbee2mqtt:BASE, or tasmota:FULLTOPIC with "
        + "%prefix% and %topic%"

    let dialect: MQTTDialect
    /// Whether devices of the dialect can have a password.
    let isShelly: Bool

    static let names = [
        "mqtt5", "jsonrpc", "shelly", "thingsboard", "thingsboard-gateway", "zigbee2mqtt", "zigbee2mqtt-bridge",
        "tasmota", "azure",
    ]

    static var allValueStrings: [String] { self.names }

    static let usual = Self(.mqtt5)

    private init(_ dialect: MQTTDialect, isShelly: Bool = false) {
        self.dialect = dialect
        self.isShelly = isShelly
    }

    init?(argument: String) {
        let parts = argument.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let topic = parts.count > 1 ? parts[1] : nil
        switch (parts[0].lowercased(), topic) {
        case ("mqtt5", nil): self.init(.mqtt5)
        case ("mqtt5", let topic?) where topic.contains("{device}") && !topic.contains(where: { "+#".contains($0) }):
            self.init(.mqtt5(topic: topic))
        case ("jsonrpc", nil), ("mongoose", nil): self.init(.jsonRPC)
        case ("shelly", nil): self.init(.shelly, isShelly: true)
        case ("thingsboard", nil): self.init(.thingsBoard)
        case ("thingsboard-gateway", nil): self.init(.thingsBoardGateway)
        case ("zigbee2mqtt", nil): self.init(.zigbee2MQTT)
        case ("zigbee2mqtt", let base?) where !base.isEmpty: self.init(.zigbee2MQTT(base: base))
        case ("zigbee2mqtt-bridge", nil): self.init(.zigbee2MQTTBridge)
        case ("tasmota", nil): self.init(.tasmota)
        case ("tasmota", let topic?) where topic.contains("%prefix%") && topic.contains("%topic%"):
            self.init(.tasmota(fullTopic: topic))
        case ("azure", nil): self.init(.azureIoTHub)
        default: return nil
        }
    }
}

/// The value of --at-once.
struct WidthArgument: CheckedArgument, Equatable {
    static let expectation = "a whole number of at least 1"

    let width: Int

    init?(argument: String) {
        guard let width = Int(argument), width > 0 else { return nil }
        self.width = width
    }
}

extension PacketProperties {
    /// Throws for properties of PUBLISH, which a dialect decides.
    func requireNoneOfMessages() throws {
        guard !self[.publish].isEmpty else {
            return
        }
        throw CommandFailure("The dialect decides the properties of messages; leave out -D publish.")
    }
}
#endif

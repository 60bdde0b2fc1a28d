import Curlew
import Foundation
import MosquittoFixture

/// mosquitto's own commands, for one broker and one protocol version.
struct MosquittoTools {
    let broker: Mosquitto
    let version: ProtocolVersion

    private func server() throws -> [String] {
        let version = [ProtocolVersion.v3_1: "mqttv31", .v3_1_1: "mqttv311", .v5_0: "mqttv5"][self.version]
        return ["-h", "127.0.0.1", "-p", "\(try self.broker.port())", "-V", version ?? ""]
    }

    /// Publishes a message.
    func publish(_ message: PeerMessage) async throws {
        var arguments = try self.arguments(message)
        arguments += message.payload.isEmpty ? ["-n"] : ["-f", try self.broker.write(message.payload, to: "payload")]
        if self.version == .v5_0, let topic = message.responseTopic {
            arguments += ["-D", "publish", "response-topic", topic]
        }
        try await self.broker.start("mosquitto_pub", arguments).success()
    }

    /// Publishes a request and returns the reply on its response topic.
    ///
    /// - Parameter message: Its payload must be text, since mosquitto_rr 2.0 sends nothing from a file.
    func request(_ message: PeerMessage) async throws -> [PeerMessage] {
        var arguments = try self.arguments(message) + ["-m", String(decoding: message.payload, as: UTF8.self)]
        arguments += ["-e", message.responseTopic ?? "", "-F", Self.format, "-W", "60"]
        return try await Self.received(try self.broker.start("mosquitto_rr", arguments))
    }

    /// The arguments that mosquitto_pub and mosquitto_rr have in common.
    private func arguments(_ message: PeerMessage) throws -> [String] {
        var arguments = try self.server() + ["-t", message.topic, "-q", "\(message.qos)"]
        if message.retain { arguments.append("-r") }
        let properties: [(String, String?)] = [
            ("content-type", message.contentType),
            ("correlation-data", message.correlationData.map { String(decoding: $0, as: UTF8.self) }),
            ("message-expiry-interval", message.messageExpiryInterval.map(String.init)),
            ("payload-format-indicator", message.payloadIsText.map { $0 ? "1" : "0" }),
        ]
        for case (let name, let value?) in properties { arguments += ["-D", "publish", name, value] }
        for pair in message.userProperties ?? [] { arguments += ["-D", "publish", "user-property"] + pair }
        return arguments
    }

    /// Starts a subscriber that exits after `count` messages; waits until it is subscribed.
    func subscribe(
        to filter: String, count: Int, as identifier: String = "listener", _ options: String...
    ) async throws -> Subprocess {
        let arguments = try self.server() + ["-i", identifier, "-t", filter, "-q", "2", "-C", "\(count)", "-W", "90"]
        let subscriber = try self.broker.start("mosquitto_sub", arguments + options + ["-F", Self.format])
        try await self.broker.subscribed(identifier)
        return subscriber
    }

    // MARK: Output

    /// QoS, retain flag, payload in hexadecimal digits, properties, topic.
    private static let format = "%q|%r|%x|%E|%C|%R|%D|%P|%F|%t"

    /// Waits for the end of a command and returns what it received.
    static func received(_ tool: Subprocess) async throws -> [PeerMessage] {
        try await tool.success().split(separator: "\n").map { line in
            let fields = line.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
            guard fields.count == 10, let qos = UInt8(fields[0]) else { throw tool.failure("wrote the line \(line)") }
            func text(_ index: Int) -> String? { fields[index].isEmpty ? nil : fields[index] }
            return PeerMessage(
                topic: fields[9], payload: Self.bytes(fields[2]), qos: qos, retain: fields[1] == "1",
                contentType: text(4), responseTopic: text(5), correlationData: text(6).map { Data($0.utf8) },
                userProperties: text(7)?.split(separator: " ").map { pair in
                    pair.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
                },
                messageExpiryInterval: text(3).flatMap(UInt32.init), payloadIsText: text(8).map { $0 == "1" })
        }
    }

    private static func bytes(_ digits: String) -> Data {
        let values = digits.utf8.map { UInt8($0 > 57 ? $0 - 87 : $0 - 48) }
        return Data(stride(from: 0, to: values.count - 1, by: 2).map { values[$0] << 4 | values[$0 + 1] })
    }
}

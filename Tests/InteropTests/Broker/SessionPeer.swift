import Curlew
import Foundation
import MosquittoFixture
import Testing

/// A client program that uses another library, with a session that lasts from one run to the next.
struct SessionPeer: Sendable, CustomTestStringConvertible {
    enum Library: String, Sendable {
        case paho, aiomqtt, gmqtt, amqtt, awscrt
        case node
        case pahoC = "paho_c"
    }

    let library: Library
    let version: ProtocolVersion
    /// With `.mutualTLS`, the client presents its own certificate.
    var listener = Mosquitto.Listener.tcp

    var testDescription: String { "\(self.library), \(self.listener), \(self.version)" }

    /// The Python libraries, with the versions that each supports.
    static let python =
        Self.all(.paho) + Self.all(.aiomqtt) + Self.all(.gmqtt, [.v3_1_1, .v5_0]) + Self.all(.amqtt, [.v3_1_1])
        + Self.all(.awscrt, [.v3_1_1, .v5_0]) + Self.all(.awscrt, [.v3_1_1, .v5_0], .mutualTLS)
    static let node = Self.all(.node) + Self.all(.node, .mutualTLS)
    /// The libraries that can use WebSocket or Unix domain sockets.
    static let pythonOverOthers =
        Self.all(.paho, .webSocket) + Self.all(.aiomqtt, [.v5_0], .webSocket)
        + Self.all(.awscrt, [.v3_1_1, .v5_0], .webSocket) + Self.all(.awscrt, [.v5_0], .secureWebSocket)
        + Self.all(.paho, [.v5_0], .unix)
    static let nodeOverOthers = Self.all(.node, .webSocket) + Self.all(.node, [.v5_0], .secureWebSocket)
    static let pahoC = Self.all(.pahoC)

    private static func all(
        _ library: Library, _ versions: [ProtocolVersion] = ProtocolVersion.allCases,
        _ listener: Mosquitto.Listener = .tcp
    ) -> [SessionPeer] {
        versions.map { SessionPeer(library: library, version: $0, listener: listener) }
    }

    private static func all(_ library: Library, _ listener: Mosquitto.Listener) -> [SessionPeer] {
        self.all(library, ProtocolVersion.allCases, listener)
    }

    // MARK: Availability

    private static let scripts = URL(filePath: #filePath).appending(path: "../../Peers").standardized

    /// Whether there is an environment from the current `scripts/test`, not from an older one.
    static let havePython: Bool = {
        let requirements = Self.scripts.appending(path: "../../../scripts/requirements.txt").standardized
        let installed = URL(filePath: Peers.python).appending(path: "../../installed.txt").standardized
        guard let wanted = try? Data(contentsOf: requirements) else { return Peers.areRequired }
        return Peers.areRequired || (try? Data(contentsOf: installed)) == wanted
    }()
    static let haveNode = Peers.areRequired || (Subprocess.find("node") != nil && exists("/usr/share/nodejs/mqtt"))
    static let havePahoC = Peers.areRequired || (Subprocess.find("cc") != nil && exists("/usr/include/MQTTClient.h"))

    private static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    // MARK: Capabilities

    /// awscrt publishes only at QoS 0 and 1.
    private var maximumQoS: UInt8 { self.library == .awscrt ? 1 : 2 }
    /// awscrt's client for 5.0 does not subscribe at QoS 2 either.
    private var subscriptionQoS: UInt8 { self.library == .awscrt && self.version == .v5_0 ? 1 : 2 }

    /// Returns a message as the peer publishes it.
    func published(_ topic: String, _ text: String, qos: UInt8, retain: Bool = false) -> PeerMessage {
        PeerMessage(topic: topic, payload: Data(text.utf8), qos: min(qos, self.maximumQoS), retain: retain)
    }

    /// Returns the same message as the peer's subscription receives it.
    func received(_ message: PeerMessage) -> PeerMessage {
        var message = message
        message.qos = min(message.qos, self.subscriptionQoS)
        return message
    }

    // MARK: Running

    /// Connects, subscribes, publishes, waits for `count` messages and disconnects. Returns the received messages.
    func run(
        _ broker: Mosquitto, subscribingTo filter: String, publishing messages: [PeerMessage] = [], count: Int
    ) async throws -> [PeerMessage] {
        let peer =
            self.library == .pahoC
            ? try await self.startC(broker, filter, messages, count)
            : try self.startScript(broker, filter, messages, count)
        return try await PythonPeer.received(peer)
    }

    private func startScript(
        _ broker: Mosquitto, _ filter: String, _ messages: [PeerMessage], _ count: Int
    ) throws -> Subprocess {
        let isPython = self.library != .node
        let script = Self.scripts.appending(path: "\(self.library.rawValue)_peer.\(isPython ? "py" : "js")").path
        // -B: do not write compiled files next to the sources.
        var arguments = isPython ? ["-B", script] : [script]
        arguments += ["converse", "--port", "\(try broker.port(self.listener))", "--version", "\(self.version)"]
        switch self.listener {
        case .webSocket, .secureWebSocket: arguments += ["--transport", "websockets"]
        case .unix: arguments += ["--transport", "unix", "--host", broker.socketFile]
        default: break
        }
        arguments += ["--identifier", "peer", "--topic", filter, "--qos", "\(self.subscriptionQoS)"]
        arguments += ["--count", "\(count)"]
        if self.listener.isSecure {
            arguments += ["--authority", "\(Peers.certificates)/ca.pem"]
            arguments += ["--certificate", "\(Peers.certificates)/client.pem"]
            arguments += ["--key", "\(Peers.certificates)/client.key.pem"]
        }
        for message in messages {
            arguments += ["--message", String(decoding: try JSONEncoder().encode(message), as: UTF8.self)]
        }
        return try broker.start(isPython ? Peers.python : "node", arguments)
    }

    /// Compiles the program and starts it.
    private func startC(
        _ broker: Mosquitto, _ filter: String, _ messages: [PeerMessage], _ count: Int
    ) async throws -> Subprocess {
        let program = try broker.write(Data(), to: "paho_c_peer")
        let source = Self.scripts.appending(path: "paho_c_peer.c").path
        try await broker.start("cc", ["-Wall", "-Werror", "-o", program, source, "-lpaho-mqtt3c"]).success()
        let version = [ProtocolVersion.v3_1: "3", .v3_1_1: "4", .v5_0: "5"][self.version] ?? ""
        var arguments = ["\(try broker.port())", version, "peer", filter, "\(count)"]
        for message in messages {
            arguments += ["\(message.qos)", message.retain ? "1" : "0", message.topic]
            arguments.append(String(decoding: message.payload, as: UTF8.self))
        }
        return try broker.start(program, arguments)
    }
}

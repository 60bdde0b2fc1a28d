import Curlew
import Foundation
import MosquittoFixture
import Testing

/// A client program that uses one of the Python libraries: see `Peers/peer.py`.
struct PythonPeer: Sendable, CustomTestStringConvertible {
    var broker = BrokerProgram.mosquitto
    let library: String
    let version: ProtocolVersion

    /// Each library with the versions that it supports, on mosquitto and on `curlew broker`; on the latter only with
    /// 5.0, since SessionPeerTests cover the other versions.
    static let all = BrokerProgram.available.flatMap { broker in
        (ProtocolVersion.allCases.map { PythonPeer(broker: broker, library: "paho", version: $0) }
            + ProtocolVersion.allCases.map { PythonPeer(broker: broker, library: "aiomqtt", version: $0) }
            + [.v3_1_1, .v5_0].map { PythonPeer(broker: broker, library: "gmqtt", version: $0) })
            .filter { broker == .mosquitto || $0.version == .v5_0 }
    }

    var testDescription: String { "\(self.broker), \(self.library), \(self.version)" }
    /// For a Curlew client with the same version.
    var setup: Setup { Setup(broker: self.broker, listener: .tcp, version: self.version) }

    private static let scripts = URL(filePath: #filePath).appending(path: "../../Peers").standardized

    private func start(_ role: String, _ arguments: [String], _ broker: Mosquitto) throws -> Subprocess {
        let script = Self.scripts.appending(path: "\(self.library)_peer.py").path
        // -B: do not write compiled files next to the sources.
        return try broker.start(
            Peers.python,
            ["-B", script, role, "--port", "\(broker.port())", "--version", "\(self.version)"] + arguments)
    }

    /// Publishes the messages in this order.
    func publish(_ messages: [PeerMessage], _ broker: Mosquitto) async throws {
        try await self.start("publish", try messages.flatMap(Self.argument), broker).success()
    }

    /// Starts a subscriber that exits after `count` messages; waits until it is subscribed.
    func subscribe(to filter: String, count: Int, _ broker: Mosquitto) async throws -> Subprocess {
        let peer = try self.start("subscribe", ["--topic", filter, "--qos", "2", "--count", "\(count)"], broker)
        try await peer.line { $0 == "ready" }
        return peer
    }

    /// Starts a responder that exits after `count` requests; waits until it is subscribed.
    ///
    /// - Parameter replyTopic: The topic for replies to requests without a response topic.
    func respond(to filter: String, count: Int, replyTopic: String, _ broker: Mosquitto) async throws -> Subprocess {
        let peer = try self.start(
            "respond", ["--topic", filter, "--qos", "2", "--count", "\(count)", "--reply-topic", replyTopic], broker)
        try await peer.line { $0 == "ready" }
        return peer
    }

    /// Publishes each request after the reply to the previous one, and returns the replies.
    func request(_ requests: [PeerMessage], repliesOn topic: String, _ broker: Mosquitto) async throws -> [PeerMessage]
    {
        let arguments = ["--topic", topic, "--qos", "2"] + (try requests.flatMap(Self.argument))
        return try await Self.received(try self.start("request", arguments, broker))
    }

    /// Waits for the end of a peer and returns what it received.
    static func received(_ peer: Subprocess) async throws -> [PeerMessage] {
        try await peer.success().split(separator: "\n").filter { $0 != "ready" }.map { line in
            try JSONDecoder().decode(PeerMessage.self, from: Data(line.utf8))
        }
    }

    private static func argument(_ message: PeerMessage) throws -> [String] {
        ["--message", String(decoding: try JSONEncoder().encode(message), as: UTF8.self)]
    }
}

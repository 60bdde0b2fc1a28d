import Curlew
import Foundation
import MosquittoFixture
import NIOCore
import Testing

@Suite(
    "Curlew and the Python clients paho-mqtt, aiomqtt and gmqtt",
    .enabled(if: Peers.havePython, "mosquitto or the Python clients are not installed; scripts/test installs them"),
    .timeLimit(.minutes(5)))
struct PythonPeerTests {
    private static let correlationData = Data([0, 255, 10, 0])

    @Test("A Python client receives what Curlew publishes", arguments: PythonPeer.all)
    func publish(_ peer: PythonPeer) async throws {
        try await Mosquitto.run(on: peer.broker) { broker in
            let client = try await broker.connect(peer.setup)
            try await client.publish(.kept)
            let samples = PeerMessage.samples(peer.version, correlationData: Self.correlationData)
            let subscriber = try await peer.subscribe(to: "peer/#", count: samples.count + 1, broker)
            for sample in samples { try await client.publish(sample) }
            let received = try await PythonPeer.received(subscriber)
            #expect(received.comparable == (samples + [.kept]).comparable)
        }
    }

    @Test("Curlew receives what a Python client publishes", arguments: PythonPeer.all)
    func subscribe(_ peer: PythonPeer) async throws {
        try await Mosquitto.run(on: peer.broker) { broker in
            let client = try await broker.connect(peer.setup)
            let inbox = Inbox(try await client.subscribe(to: "peer/#"))
            let samples = PeerMessage.samples(peer.version, correlationData: Self.correlationData)
            try await peer.publish(samples + [.kept], broker)
            let received = try await inbox.next(samples.count + 1).map(PeerMessage.init)
            #expect(received.comparable == (samples + [PeerMessage.kept.live]).comparable)

            let late = Inbox(try await client.subscribe(to: "peer/kept"))
            #expect(PeerMessage(try await late.next()) == .kept)
        }
    }

    @Test("A Python client answers Curlew's requests", arguments: PythonPeer.all)
    func request(_ peer: PythonPeer) async throws {
        try await Mosquitto.run(on: peer.broker) { broker in
            let client = try await broker.connect(peer.setup)
            let payload = Data(0...255)
            let responder = try await peer.respond(to: "rpc/+", count: 3, replyTopic: "replies", broker)
            for qos in QoS.allCases {
                let reply = try await client.request(
                    ByteBuffer(bytes: payload), to: "rpc/é", qos: qos,
                    responseTopic: peer.version == .v5_0 ? nil : "replies", timeout: .seconds(60))
                #expect(PeerMessage(reply).payload == answer(to: payload))
            }
            #expect(client.statistics.unexpectedReplies == 0)

            let requests = try await PythonPeer.received(responder)
            #expect(requests.map(\.qos) == [0, 1, 2])
            #expect(requests.allSatisfy { $0.topic == "rpc/é" && $0.payload == payload })
            // In 5.0, each request has a response topic and its own correlation data.
            #expect(Set(requests.map(\.correlationData)).count == (peer.version == .v5_0 ? 3 : 1))
            #expect(requests.allSatisfy { ($0.responseTopic != nil) == (peer.version == .v5_0) })
        }
    }

    @Test("Curlew answers a Python client's requests", arguments: PythonPeer.all)
    func respond(_ peer: PythonPeer) async throws {
        try await Mosquitto.run(on: peer.broker) { broker in
            // Before 5.0, both sides must know the reply topic.
            try await broker.answering("rpc/+", peer.setup, repliesTo: "/reply") { request in
                ByteBuffer(bytes: answer(to: PeerMessage(request).payload))
            } during: {
                let topic = peer.version == .v5_0 ? "réponses/1" : "rpc/1/reply"
                let requests = QoS.allCases.map(\.rawValue).map { qos in
                    var request = PeerMessage(topic: "rpc/1", payload: Data(0...255) + [qos], qos: qos)
                    if peer.version == .v5_0 {
                        request.responseTopic = topic
                        request.correlationData = Self.correlationData + [qos]
                    }
                    return request
                }
                let replies = try await peer.request(requests, repliesOn: topic, broker)
                let expected = requests.map { request in
                    PeerMessage(
                        topic: topic, payload: answer(to: request.payload), qos: request.qos,
                        correlationData: request.correlationData)
                }
                #expect(replies == expected)
            }
        }
    }
}

import Curlew
import Foundation
import MosquittoFixture
import NIOCore
import Testing

@Suite(
    "Curlew and mosquitto_pub, mosquitto_sub and mosquitto_rr",
    .enabled(if: Peers.haveMosquittoTools, "mosquitto-clients is not installed; scripts/test installs it"),
    .timeLimit(.minutes(5)))
struct MosquittoToolTests {
    /// The commands take it as an argument, which cannot hold arbitrary bytes.
    private static let correlationData = Data("job 7".utf8)

    @Test("mosquitto_sub receives what Curlew publishes", arguments: Setup.tcp)
    func publish(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            let client = try await broker.connect(setup)
            try await client.publish(.kept)
            let samples = PeerMessage.samples(setup.version, correlationData: Self.correlationData)
            let tools = MosquittoTools(broker: broker, version: setup.version)
            let subscriber = try await tools.subscribe(to: "peer/#", count: samples.count + 1)
            for sample in samples { try await client.publish(sample) }
            let received = try await MosquittoTools.received(subscriber)
            #expect(received.comparable == (samples + [.kept]).comparable)
        }
    }

    @Test("Curlew receives what mosquitto_pub publishes", arguments: Setup.tcp)
    func subscribe(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            let client = try await broker.connect(setup)
            let inbox = Inbox(try await client.subscribe(to: "peer/#"))
            let samples = PeerMessage.samples(setup.version, correlationData: Self.correlationData)
            let tools = MosquittoTools(broker: broker, version: setup.version)
            for sample in samples + [.kept] { try await tools.publish(sample) }
            let received = try await inbox.next(samples.count + 1).map(PeerMessage.init)
            #expect(received.comparable == (samples + [PeerMessage.kept.live]).comparable)

            let late = Inbox(try await client.subscribe(to: "peer/kept"))
            #expect(PeerMessage(try await late.next()) == .kept)
        }
    }

    @Test("mosquitto_sub and mosquitto_pub together answer Curlew's requests", arguments: Setup.tcp)
    func request(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            let client = try await broker.connect(setup)
            let tools = MosquittoTools(broker: broker, version: setup.version)
            let correlationData = setup.version == .v5_0 ? ByteBuffer(bytes: Self.correlationData) : nil
            for qos in QoS.allCases {
                let responder = try await tools.subscribe(to: "rpc/+", count: 1)
                async let reply = client.request(
                    "\(qos)?", to: "rpc/é", qos: qos, properties: .init(correlationData: correlationData),
                    responseTopic: "réponses/1",
                    timeout: .seconds(60))
                let request = try #require(try await MosquittoTools.received(responder).first)
                #expect(request.topic == "rpc/é" && request.qos == qos.rawValue)
                #expect(request.responseTopic == (setup.version == .v5_0 ? "réponses/1" : nil))
                try await tools.publish(
                    PeerMessage(
                        topic: "réponses/1", payload: answer(to: request.payload), qos: qos.rawValue,
                        correlationData: request.correlationData))
                #expect(try await reply.text == "re: \(qos)?")
                #expect(try await reply.properties.correlationData == correlationData)
            }
        }
    }

    @Test("Curlew answers requests of mosquitto_rr", arguments: Setup.tcp)
    func respond(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            // Before 5.0, both sides must know the reply topic.
            try await broker.answering("rpc/+", setup, repliesTo: "/reply") { request in
                ByteBuffer(bytes: answer(to: PeerMessage(request).payload))
            } during: {
                let tools = MosquittoTools(broker: broker, version: setup.version)
                for qos in QoS.allCases.map(\.rawValue) {
                    var request = PeerMessage(topic: "rpc/1", payload: Data("wie heiß?".utf8), qos: qos)
                    request.responseTopic = setup.version == .v5_0 ? "réponses/1" : "rpc/1/reply"
                    if setup.version == .v5_0 { request.correlationData = Self.correlationData }
                    let replies = try await tools.request(request)
                    let expected = PeerMessage(
                        topic: request.responseTopic ?? "", payload: answer(to: request.payload), qos: qos,
                        correlationData: request.correlationData)
                    #expect(replies == [expected])
                }
            }
        }
    }
}

extension Properties {
    fileprivate init(correlationData: ByteBuffer?) {
        self.init()
        self.correlationData = correlationData
    }
}

import Curlew
import CurlewBroker
import CurlewTesting
import Foundation
import MosquittoFixture
import Testing

@Suite("A client that takes one message after the other", .bounded)
struct MessengerTests {
    @Test("It subscribes, publishes with defaults by topic, and takes messages", arguments: ExampleBroker.available)
    func messages(_ broker: ExampleBroker) async throws {
        try await broker.run { broker in
            let settings = try JSONDecoder().decode(
                Settings.self,
                from: Data(
                    """
                    {
                        "broker": {
                            "url": "\(broker.url)", "clientId": "kitchen", "keepAlive": 90, "cleanStart": true,
                            "defaultQoS": 1, "reconnectAttempts": 4, "reconnectMaximumDelay": 5
                        },
                        "topics": [{"filter": "alarms/#", "qos": 2, "retain": true}],
                        "will": {"topic": "home/kitchen/status", "message": "gone", "retain": true}
                    }
                    """.utf8))
            let configuration = settings.configuration
            #expect(configuration.reconnect.maximumAttempts == 4)
            #expect(configuration.reconnect.maximumDelay == .seconds(5))
            #expect(configuration.will?.topic == "home/kitchen/status" && configuration.will?.retain == true)
            let messenger = try await Messenger(
                configuration, topics: ["alarms/#", TopicSubscription("home/#", .init(qos: .atLeastOnce))])
            #expect(messenger.client.clientIdentifier == "kitchen")
            try await messenger.publish("on", to: "home/lamp", timeout: .seconds(60))
            try await messenger.publish("fire", to: "alarms/1", timeout: .seconds(60))
            let lamp = try #require(try await messenger.deliverMessage(timeout: .seconds(60)))
            #expect("\(lamp.topic) \(lamp.text)" == "home/lamp on")
            #expect(lamp.qos == .atLeastOnce)
            let alarm = try #require(try await messenger.deliverMessage(timeout: .seconds(60)))
            #expect(alarm.text == "fire")
            #expect(alarm.qos == .exactlyOnce)
            #expect(try await messenger.deliverMessage(timeout: .milliseconds(10)) == nil)
            try await messenger.disconnect()
            #expect(try await broker.connectedClient().first(from: "alarms/#", within: .seconds(60)).isRetained)
        }
    }

    @Test("It trusts a file, a directory or data of authorities", arguments: ExampleBroker.available)
    func authorities(_ broker: ExampleBroker) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let authority = URL(filePath: Certificates.authority)
        try FileManager.default.copyItem(at: authority, to: folder.appending(path: "ca.pem"))
        try await broker.run(.tls) { broker in
            let url = broker.url
            let configurations = [
                try Messenger.configuration(url, caFile: authority.path),
                try Messenger.configuration(url, caDirectory: folder.path),
                try Messenger.configuration(url, caData: String(contentsOf: authority, encoding: .utf8)),
                try MQTTConfiguration(settings: ["url": url, "ca-file": authority.path, "client-id": "kitchen"]),
            ]
            for configuration in configurations {
                let messenger = try await Messenger(configuration, topics: ["home/#"])
                try await messenger.publish("on", to: "home/lamp", qos: .exactlyOnce)
                #expect(try await messenger.deliverMessage(timeout: .seconds(60))?.text == "on")
                try await messenger.disconnect()
            }
            var suspicious = try MQTTConfiguration(url: url)
            suspicious.reconnect = .disabled
            let error = try await failure { try await Messenger(suspicious, topics: ["home/#"]) }
            #expect(error.code == .connectionFailed)
        }
    }

    @Test("It sends additional headers with the request for a WebSocket")
    func headers() async throws {
        try await withBroker {
            $0.listeners = [.webSocket(port: 0)]
        } _: { broker in
            let url = "ws://127.0.0.1:\(await broker.server.port)/mqtt"
            let messenger = try await Messenger(
                Messenger.configuration(url, headers: ["Cookie": "session=1"]), topics: ["home/#"])
            try await messenger.disconnect()
            // The broker refuses pages of other sites.
            var elsewhere = try Messenger.configuration(url, headers: ["Origin": "https://elsewhere.example"])
            elsewhere.reconnect = .disabled
            let error = try await failure { try await Messenger(elsewhere, topics: ["home/#"]) }
            #expect(error.code == .connectionFailed)
        }
    }

    @Test("It tries to connect several times, and then throws")
    func retries() async throws {
        var configuration = try MQTTConfiguration(url: "mqtt://127.0.0.1:1")
        configuration.reconnect.initialDelay = .milliseconds(1)
        configuration.reconnect.minimumDelay = .zero
        configuration.reconnect.maximumDelay = .milliseconds(1)
        configuration.reconnect.maximumAttempts = 4
        let error = try await failure { try await Messenger(configuration, topics: ["home/#"]) }
        #expect(error.code == .connectionFailed)
        #expect(error.message.contains("the last of the 4 tries"))
    }

    @Test("A publish that is not acknowledged in time throws, and says that it was not sent")
    func acknowledgementTimeout() async throws {
        try await withBroker { broker in
            let messenger = try await Messenger(MQTTConfiguration(server: await broker.server), topics: ["home/#"])
            await broker.broker.stop()
            try await eventually("a lost connection") { messenger.client.state == .reconnecting }
            let error = try await failure {
                try await messenger.publish("on", to: "home/lamp", qos: .atLeastOnce, timeout: .milliseconds(10))
            }
            #expect(error.code == .timedOut)
            #expect(error.delivery == .notSent)
            await messenger.client.disconnect(drain: .zero)
        }
    }
}

import Curlew
import CurlewTesting
import Foundation
import NIOCore
import Testing

@Suite("Several brokers, and one-liners", .bounded)
struct SeveralBrokersTests {
    @Test("Messages of several brokers come with their source, and publishing reaches one or all")
    func sources() async throws {
        try await withBroker { plant in
            try await withBroker { cloud in
                let clients = try MQTTClients([
                    "plant": MQTTConfiguration(server: await plant.server),
                    "cloud": MQTTConfiguration(server: await cloud.server),
                ])
                #expect(clients.names == ["cloud", "plant"])
                try await clients.connect()
                #expect(clients.areConnected)
                let messages = try await clients.subscribe(to: "t/#")
                var iterator = messages.makeAsyncIterator()
                let results = await clients.publishToAll("all", to: "t/1", qos: .atLeastOnce)
                #expect(results.count == 2)
                for (_, result) in results { #expect(try result.get() == .success) }
                var seen: Set<String> = []
                for _ in 0..<2 {
                    let next = try #require(try await iterator.next())
                    #expect(next.message.text == "all")
                    seen.insert(next.source)
                }
                #expect(seen == ["plant", "cloud"])
                try await clients["plant"]?.publish("one", to: "t/2", qos: .atLeastOnce)
                let next = try #require(try await iterator.next())
                #expect(next.source == "plant")
                #expect(next.message.text == "one")
                // The other broker goes on.
                await clients["plant"]?.disconnect()
                try await clients["cloud"]?.publish("two", to: "t/2", qos: .atLeastOnce)
                #expect(try await iterator.next()?.message.text == "two")
                let reports = await clients.disconnect()
                #expect(!reports.values.contains { !$0.isClean })
                #expect(try await iterator.next() == nil)
            }
        }
    }

    @Test("The error of one client begins with its name")
    func named() async throws {
        let error = try await failure { try MQTTClients(["plant": "mqtt://localhost", "cloud": "mqtt://localhost:0"]) }
        #expect(error.message.hasPrefix("cloud: "))
        #expect(try await failure { try MQTTClients([String: MQTTConfiguration]()) }.code == .invalidConfiguration)
        let server = ScriptedServer()
        var configuration = MQTTConfiguration(server: .mqtt("127.0.0.1", port: 1))
        configuration.reconnect.isEnabled = false
        _ = server
        let clients = try MQTTClients(["gone": configuration])
        #expect(try await failure { try await clients.connect() }.message.hasPrefix("gone: "))
    }

    @Test("A broker that is down delays nothing; its client joins later")
    func oneIsDown() async throws {
        let (up, down) = (ScriptedServer(patience: .seconds(60)), ScriptedServer(patience: .seconds(60)))
        var configurations: [String: MQTTConfiguration] = [:]
        for (name, server) in [("up", up), ("down", down)] {
            var configuration = MQTTConfiguration(server: .mqtt("\(name).example"))
            configuration.reconnectAtOnce()
            server.connect(&configuration)
            configurations[name] = configuration
        }
        let clients = try MQTTClients(configurations)
        let connecting = Task { await clients.connectAll(retrying: true) }
        try await down.accept().refuseConnect(.serverUnavailable)
        let waiting = try await down.accept()
        let connection = try await up.acceptAgain()
        try await eventually("one is connected") { clients.states["up"] == .connected }
        #expect(clients.connectionErrors["down"]?.reasonCode == .serverUnavailable)
        async let subscribed = clients.subscribe(to: ["t"])
        try await connection.grantSubscribe()
        let messages = try await subscribed
        try connection.publish("1", to: "t")
        #expect(try await messages.next(within: .seconds(60))?.source == "up")
        try await waiting.acceptConnect()
        #expect(try await waiting.grantSubscribe().map(\.string) == ["t"])
        try waiting.publish("2", to: "t")
        let second = try #require(try await messages.next())
        #expect(second.source == "down" && second.message.text == "2")
        #expect(clients.connectionErrors.isEmpty)
        #expect(await connecting.value.count == 2)
    }

    @Test("If a broker refuses later, the messages of the others continue")
    func refusesLater() async throws {
        let server = ScriptedServer(patience: .seconds(60))
        var configuration = MQTTConfiguration(server: .mqtt("one.example"))
        server.connect(&configuration)
        let clients = try MQTTClients(["one": configuration])
        let messages = try await clients.subscribe(to: "t")
        async let connected: Void = clients.connect()
        let connection = try await server.acceptAgain()
        try await connected
        try await connection.refuseSubscribe()
        #expect(try await failure { try await messages.next(within: .seconds(60)) }.code == .subscriptionRefused)
    }

    @Test("Collecting from several brokers, also by threads that block")
    func collected() async throws {
        try await withBroker { plant in
            try await withBroker { cloud in
                let clients = try MQTTClients([
                    "plant": MQTTConfiguration(server: await plant.server),
                    "cloud": MQTTConfiguration(server: await cloud.server),
                ])
                let found = try await withCheckedThrowingContinuation { continuation in
                    Thread.detachNewThread {
                        continuation.resume(
                            with: Result {
                                try clients.blocking.connect()
                                try clients.blocking["plant"]?.publish("p", to: "t", qos: .atLeastOnce, retain: true)
                                try clients.blocking["cloud"]?.publish("c", to: "t", qos: .atLeastOnce, retain: true)
                                let found = try clients.blocking.collect(2, from: ["t"], within: .seconds(60))
                                let none = try clients.blocking.collect(
                                    1, from: ["t"], includingRetained: false, within: .milliseconds(1))
                                return found.map { "\($0.source) \($0.message.text)" }.sorted() + none.map(\.source)
                            })
                    }
                }
                #expect(found == ["cloud c", "plant p"])
                let error = try await failure { try await clients.collect(0, from: ["t"], within: .seconds(1)) }
                #expect(error.code == .invalidArgument)
                await clients.disconnect()
            }
        }
    }

    @Test("One call connects, acts and disconnects")
    func oneLiners() async throws {
        try await withBroker { broker in
            let url = "\(await broker.server)"
            #expect(try await MQTT.publish("1", to: "t/a", at: url, retain: true) == .noMatchingSubscribers)
            try await MQTT.publish([("t/b", "2"), ("t/c", "3")], at: url, retain: true)
            let configuration = MQTTConfiguration(server: await broker.server)
            try await MQTT.publish(
                [MQTTPublication("4", to: "u/d", retain: true), MQTTPublication("5", to: "u/e", qos: .exactlyOnce)],
                at: configuration)
            let other = try await MQTT.collect(1, from: "u/+", at: configuration, within: .seconds(60))
            #expect(other.map(\.text) == ["4"])
            let messages = try await MQTT.collect(3, from: "t/+", at: url, within: .seconds(60))
            #expect(Set(messages.map(\.text)) == ["1", "2", "3"])
            let responder = try await broker.connectedClient()
            let answering = Task { try await responder.respond(to: "svc") { request in "re: \(request.text)" } }
            try await responder.waitForSubscriber(of: "svc")
            #expect(try await MQTT.request("x", to: "svc", at: url, timeout: .seconds(60)).text == "re: x")
            answering.cancel()
            _ = await answering.result
        }
    }
}

@Suite("Coders of payloads", .bounded)
struct PayloadCoderTests {
    private struct Reading: Codable, Equatable, Sendable { var celsius: Double }

    /// A format of one number.
    private struct NumberCoder: MQTTPayloadCoder {
        let contentType: String? = "text/x-number"

        func encode(_ value: some Encodable) throws -> ByteBuffer {
            guard let reading = value as? Reading else { throw MQTTError(.invalidArgument, "no reading") }
            return ByteBuffer(string: "\(reading.celsius)")
        }

        func decode<Value: Decodable>(_ type: Value.Type, from payload: ByteBuffer) throws -> Value {
            guard let celsius = Double(String(buffer: payload)), let value = Reading(celsius: celsius) as? Value else {
                throw MQTTError(.decodingFailed, "no reading")
            }
            return value
        }
    }

    @Test("The client's coder encodes, and its content type is sent and checked")
    func own() async throws {
        try await withBroker { broker in
            let client = try await broker.connectedClient { $0.payloadCoder = NumberCoder() }
            let subscription = try await client.subscribe(to: "t")
            try await client.publish(encoding: Reading(celsius: 21.5), to: "t", qos: .atLeastOnce)
            let message = try #require(try await subscription.next(within: .seconds(60)))
            #expect(message.text == "21.5")
            #expect(message.properties.contentType == "text/x-number")
            #expect(try message.decode(Reading.self, with: NumberCoder()) == Reading(celsius: 21.5))
            let error = #expect(throws: MQTTError.self) { try message.decode(Reading.self) }
            #expect(
                error?.message
                    == "The message on \"t\" has the content type text/x-number, not application/json.")
        }
    }

    @Test(
        "JSON accepts every content type that says JSON",
        arguments: [
            ("application/json", true), ("Application/JSON; charset=utf-8", true), ("text/json", true),
            ("application/senml+json", true), ("text/plain", false),
        ])
    func json(contentType: String, isAccepted: Bool) {
        #expect(MQTTJSONCoder().accepts(contentType: contentType) == isAccepted)
    }
}

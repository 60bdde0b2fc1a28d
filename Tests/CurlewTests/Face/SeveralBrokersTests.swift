import Curlew
import CurlewTesting
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

    @Test("One call connects, acts and disconnects")
    func oneLiners() async throws {
        try await withBroker { broker in
            let url = "\(await broker.server)"
            #expect(try await MQTT.publish("1", to: "t/a", at: url, retain: true) == .noMatchingSubscribers)
            try await MQTT.publish([("t/b", "2"), ("t/c", "3")], at: url, retain: true)
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

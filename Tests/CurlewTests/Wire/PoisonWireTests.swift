import Curlew
import CurlewCore
import CurlewTesting
import NIOCore
import Testing

@Suite("Packets that make the server close the connection", .bounded)
struct PoisonWireTests {
    let server = ScriptedServer(patience: .seconds(60))

    @Test("A message is given up after three connections, and the next one is sent")
    func message() async throws {
        let (client, first) = try await self.server.connectedClient { $0.reconnectAtOnce() }
        async let error = failure { try await client.publish("x", to: "bad", qos: .exactlyOnce) }
        var connection = first
        for _ in 0..<3 {
            #expect(try await connection.receivePublishPacket().topic?.string == "bad")
            connection.close()
            connection = try await self.server.acceptAgain(sessionPresent: true)
        }
        let thrown = try await error
        #expect(thrown.code == .packetAbandoned)
        #expect(thrown.delivery == .unknown)
        #expect(thrown.message.contains("\"bad\"") && thrown.message.contains("3 connections"))
        async let published = client.publish("y", to: "good", qos: .exactlyOnce)
        #expect(try await connection.receivePublish().topic.string == "good")
        _ = try await published
        #expect(self.server.waitingCount == 0)
    }

    @Test("A subscribe is given up after three connections")
    func subscription() async throws {
        let (client, first) = try await self.server.connectedClient { $0.reconnectAtOnce() }
        let events = client.events
        async let error = failure { try await client.subscribe(to: "$share/g/a") }
        var connection = first
        for _ in 0..<3 {
            _ = try await connection.receiveSubscribe()
            connection.close()
            connection = try await self.server.acceptAgain()
        }
        #expect(try await error.code == .packetAbandoned)
        let told: MQTTError = try await givenUp(in: events)
        #expect(told.message.contains("$share/g/a"))
        _ = try await connection.subscribe(client, to: "a")
    }

    @Test("A restored subscription is given up after three connections, and the others continue")
    func restored() async throws {
        let (client, first) = try await self.server.connectedClient { $0.reconnectAtOnce() }
        let good = try await first.subscribe(client, to: "good")
        let bad = try await first.subscribe(client, to: "bad")
        async let error = failure { for try await _ in bad {} }
        var connection = first
        connection.close()
        var provocations = 0
        while provocations < 3 {
            connection = try await self.server.acceptAgain()
            while true {
                let packet = try await connection.receiveSubscribe()
                guard packet.subscriptions[0].filter.string == "good" else { break }
                try connection.send(.suback(SubAck(packet.packetID, [.grantedQoS2])))
            }
            provocations += 1
            connection.close()
        }
        connection = try await self.server.acceptAgain()
        #expect(try await connection.grantSubscribe().map(\.string) == ["good"])
        #expect(try await error.code == .packetAbandoned)
        try connection.publish("still here", to: "good")
        #expect(try await good.first { _ in true }?.text == "still here")
    }

    @Test("PUBACK completes a QoS 2 message, and is counted and reported as a deviation")
    func pubackAtQoS2() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let events = client.events
        for _ in 0..<2 {
            async let published = client.publish("x", to: "t", qos: .exactlyOnce)
            let id = try #require(try await connection.receivePublishPacket().packetID)
            try connection.send(.puback(Acknowledgement(id)))
            #expect(try await published == .success)
        }
        #expect(client.statistics.protocolDeviations == 2)
        let text: String = try await first(of: events) {
            if case .protocolDeviation(let text) = $0 { text } else { nil }
        }
        #expect(text.contains("QoS 2 with PUBACK"))
        #expect(client.state == .connected && self.server.waitingCount == 0)
    }

    @Test(
        "A server that shuts down or restarts does not cause a message to be given up",
        arguments: [ReasonCode.serverShuttingDown, .serverBusy])
    func shutdowns(code: ReasonCode) async throws {
        let (client, first) = try await self.server.connectedClient { $0.reconnectAtOnce() }
        async let published = client.publish("x", to: "t", qos: .atLeastOnce)
        var connection = first
        for _ in 0..<10 {
            _ = try await connection.receivePublishPacket()
            try connection.send(.disconnect(Disconnect(reasonCode: code)))
            connection = try await self.server.acceptAgain(sessionPresent: true)
        }
        try await connection.receivePublish()
        #expect(try await published == .success)
    }
}

private func givenUp<Events: AsyncSequence<MQTTEvent, Never>>(in events: Events) async throws -> MQTTError {
    try await first(of: events) { if case .packetAbandoned(let error) = $0 { error } else { nil } }
}

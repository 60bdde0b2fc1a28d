import Curlew
import CurlewCore
import CurlewTesting
import NIOCore
import Testing

@Suite("Cancelling a task ends its wait and leaves the session consistent", .bounded)
struct CancellationWireTests {
    let server = ScriptedServer(patience: .seconds(60))

    @Test("connect, before CONNACK: the attempt ends, and the client can connect again")
    func connecting() async throws {
        let client = try self.server.makeClient()
        let task = Task { try await failure { try await client.connect() } }
        let connection = try await self.server.accept()
        _ = try await connection.receiveConnect()
        task.cancel()
        #expect(try await task.value.code == .cancelled)
        try await connection.expectClosed()
        #expect(client.state == .disconnected)
        async let connected = client.connect()
        try await self.server.acceptAgain()
        _ = try await connected
    }

    @Test("connect, one of two calls: the other continues")
    func oneOfTwo() async throws {
        let client = try self.server.makeClient()
        let first = Task { try await failure { try await client.connect() } }
        let connection = try await self.server.accept()
        _ = try await connection.receiveConnect()
        let second = Task { try await client.connect() }
        try await client.waitForConnectCalls(2)
        first.cancel()
        #expect(try await first.value.code == .cancelled)
        try connection.send(.connack(ConnAck()))
        _ = try await second.value
    }

    @Test("connect(retrying: true), between attempts: the client stops")
    func reconnecting() async throws {
        let clock = TestClock()
        self.server.stopListening(at: self.server.addresses[0])
        let client = try self.server.makeClient(clock: clock)
        let events = client.events
        let task = Task { try await failure { try await client.connect(retrying: true) } }
        _ = try await first(of: events) { if case .reconnecting = $0 { () } else { nil } }
        task.cancel()
        #expect(try await task.value.code == .cancelled)
        #expect(client.state == .disconnected)
    }

    @Test("publish, still in the outbox: the message is never sent")
    func queuedPublish() async throws {
        let (client, connection) = try await self.server.connectedClient(properties: [.receiveMaximum(1)])
        let first = try client.enqueue("first", to: "t", qos: .atLeastOnce)
        let task = Task { try await failure { try await client.publish("second", to: "t", qos: .atLeastOnce) } }
        try await client.waitUntilQueued()
        task.cancel()
        let error = try await task.value
        #expect(error.code == .cancelled)
        #expect(error.delivery == .notSent)
        let third = try client.enqueue("third", to: "t", qos: .atLeastOnce)
        #expect(String(buffer: try await connection.receivePublish().payload) == "first")
        #expect(String(buffer: try await connection.receivePublish().payload) == "third")
        try await first.outcome()
        try await third.outcome()
    }

    @Test("publish, in flight: the exchange continues without its task", arguments: [QoS.atLeastOnce, .exactlyOnce])
    func publishInFlight(qos: QoS) async throws {
        let (client, connection) = try await self.server.connectedClient(properties: [.receiveMaximum(1)])
        let task = Task { try await failure { try await client.publish("x", to: "t", qos: qos) } }
        let packet = try await connection.receivePublishPacket()
        task.cancel()
        let error = try await task.value
        #expect(error.code == .cancelled)
        #expect(error.delivery == .unknown)
        let acknowledgement = Acknowledgement(try #require(packet.packetID))
        if qos == .exactlyOnce {
            try connection.send(.pubrec(acknowledgement))
            try await connection.expect(.pubrel(acknowledgement))
            try connection.send(.pubcomp(acknowledgement))
        } else {
            try connection.send(.puback(acknowledgement))
        }
        // Its place in the window is free again.
        async let next = client.publish("next", to: "t", qos: .atLeastOnce)
        try await connection.receivePublish()
        #expect(try await next == .success)
    }

    @Test("subscribe: no subscription is left behind")
    func subscribing() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let task = Task { try await failure { try await client.subscribe(to: "t") } }
        let packet = try await connection.receiveSubscribe()
        task.cancel()
        #expect(try await task.value.code == .cancelled)
        try connection.send(.suback(SubAck(packet.packetID, [.grantedQoS2])))
        #expect(try await connection.confirmUnsubscribe() == [try TopicFilter("t")])
        // The filter can be subscribed to again.
        _ = try await connection.subscribe(client, to: "t")
    }

    @Test("unsubscribe: it continues without its task")
    func unsubscribing() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let subscription = try await connection.subscribe(client, to: "t")
        let task = Task { try await failure { try await subscription.unsubscribe() } }
        let packet = try await connection.receive()
        task.cancel()
        #expect(try await task.value.code == .cancelled)
        guard case .unsubscribe(let unsubscribe) = packet else { throw CancellationError() }
        try connection.send(.unsuback(UnsubAck(unsubscribe.packetID, [.success])))
        try await connection.sync()
        #expect(client.statistics.inFlightPackets == 0)
    }

    @Test("A loop over a subscription: it ends and unsubscribes")
    func next() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let task = Task {
            let subscription = try await client.subscribe(to: "t")
            var count = 0
            for try await _ in subscription { count += 1 }
            return count
        }
        try await connection.grantSubscribe()
        try connection.publish("x", to: "t", qos: .atLeastOnce)
        try await connection.receiveAcknowledgement()  // the loop waits for the next message
        task.cancel()
        #expect(try await task.value == 1)
        try await connection.confirmUnsubscribe()
    }

    @Test("request: a later reply is counted as unexpected")
    func requesting() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let task = Task { try await failure { try await client.request("ping", to: "svc") } }
        try await connection.grantSubscribe()
        let request = try await connection.receivePublish()
        task.cancel()
        #expect(try await task.value.code == .cancelled)
        var properties = Properties()
        properties.correlationData = request.properties.correlationData
        try connection.publish("pong", to: try #require(request.properties.responseTopic), properties: properties)
        try await connection.sync()
        #expect(client.statistics.unexpectedReplies == 1)
    }

    @Test("request, still in the outbox: it is never sent")
    func requestInOutbox() async throws {
        let (client, connection) = try await self.server.connectedClient(properties: [.receiveMaximum(1)])
        try client.enqueue("x", to: "t", qos: .atLeastOnce)
        let publish = try await connection.receivePublishPacket()
        let task = Task { try await failure { try await client.request("open", to: "door", timeout: .seconds(3600)) } }
        try await connection.grantSubscribe()
        try await client.waitUntilQueued()
        task.cancel()
        #expect(try await task.value.code == .cancelled)
        try connection.send(.puback(Acknowledgement(try #require(publish.packetID))))
        try await connection.sync()
    }

    @Test("A first request, while it subscribes: the next request still works")
    func requestingFirst() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let task = Task { try await failure { try await client.request("ping", to: "svc") } }
        let packet = try await connection.receiveSubscribe()
        task.cancel()
        #expect(try await task.value.code == .cancelled)
        try connection.send(.suback(SubAck(packet.packetID, [.grantedQoS1])))
        async let reply = client.request("ping", to: "svc")
        let request = try await connection.receivePublish()
        var properties = Properties()
        properties.correlationData = request.properties.correlationData
        try connection.publish("pong", to: try #require(request.properties.responseTopic), properties: properties)
        #expect(try await reply.text == "pong")
    }

    @Test("disconnect: it stops waiting for the drain, and still sends DISCONNECT")
    func disconnecting() async throws {
        let (client, connection) = try await self.server.connectedClient()
        _ = try client.enqueue("x", to: "t", qos: .atLeastOnce)
        _ = try await connection.receivePublishPacket()
        let task = Task { await client.disconnect() }
        try await client.wait(for: .disconnecting)
        task.cancel()
        #expect(await task.value.unknown == 1)
        try await connection.receiveDisconnect()
    }

    @Test("A wait that is cancelled just as it begins ends all the same")
    func race() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let subscription = try await connection.subscribe(client, to: "t")
        for _ in 0..<500 {
            let task = Task {
                var iterator = subscription.makeAsyncIterator()
                return try await iterator.next()
            }
            await Task.yield()
            task.cancel()
            #expect(try await task.value == nil)
        }
    }
}

import CurlewBroker
import CurlewCore
import NIOCore
import Testing

@Suite("mosquitto bridges", .timeLimit(.minutes(1)))
struct BridgeWireTests {
    /// Connects as a mosquitto bridge does with its default settings.
    private func bridge(_ connect: inout Connect) {
        connect.isBridge = true
        connect.will = (try? TopicName("$SYS/broker/connection/home.b/state")).map {
            Connect.Will(topic: $0, payload: ByteBuffer(string: "0"), qos: .atLeastOnce, retain: true)
        }
    }

    @Test("A bridge may publish its state below $SYS, and its will does too")
    func state() async throws {
        try await withPeers { peers in
            let watcher = try await peers.connect("w")
            _ = try await watcher.subscribe("$SYS/broker/connection/+/state")
            let bridge = try await peers.connect("b", version: .v3_1_1, self.bridge)
            #expect(
                try await bridge.deliver("1", to: "$SYS/broker/connection/home.b/state", retain: true) == .success)
            #expect(String(buffer: try await watcher.receivePublish().payload) == "1")
            bridge.close()
            #expect(String(buffer: try await watcher.receivePublish().payload) == "0")
        }
    }

    @Test("A client is accepted even if it may not publish its will below $SYS")
    func forbiddenWill() async throws {
        let access = try MQTTAccessFile(text: "topic readwrite home/#\n")
        try await withPeers({ $0.authorizers = [access] }) { peers in
            let program = try await peers.broker.subscribe(to: "$SYS/#")
            let bridge = try await peers.connect("b", version: .v3_1_1, self.bridge)
            #expect(try await bridge.subscribe("home/#") == [.grantedQoS2])
            bridge.close()
            while !peers.broker.clients.isEmpty { try await letOthersRun() }
            try await peers.broker.publish("end", to: "$SYS/end")
            var messages = program.makeAsyncIterator()
            #expect(await messages.next()?.topic.string == "$SYS/end")
            let other = try TopicName("$SYS/broker/uptime")
            _ = try await peers.connect("liar") {
                $0.will = Connect.Will(topic: other, payload: ByteBuffer(string: "1 s"))
            }
        }
    }

    @Test("A client may not publish to any other topic below $SYS")
    func reserved() async throws {
        try await withPeers { peers in
            let peer = try await peers.connect("p")
            for topic in ["$SYS/broker/uptime", "$SYS/broker/connection/a/b/state", "$SYS/broker/connection/a/stat"] {
                #expect(try await peer.deliver("x", to: topic) == .notAuthorized)
            }
        }
    }

    @Test("A bridge does not receive its own messages, and the RETAIN flag of others' messages is kept")
    func noEcho() async throws {
        try await withPeers { peers in
            let bridge = try await peers.connect("b", version: .v3_1_1, self.bridge)
            _ = try await bridge.subscribe("#")
            #expect(try await bridge.deliver("own", to: "t") == .success)
            let peer = try await peers.connect("p")
            try await peer.publish("other", to: "t", retain: true)
            let message = try await bridge.receivePublish()
            #expect(String(buffer: message.payload) == "other")
            #expect(message.retain)
        }
    }
}

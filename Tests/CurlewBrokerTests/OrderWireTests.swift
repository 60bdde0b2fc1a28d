import CurlewBroker
import CurlewCore
import CurlewTransport
import Dispatch
import NIOCore
import Testing

@testable import CurlewTesting

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

@Suite("Packets already sent are processed before others act on the session", .timeLimit(.minutes(2)))
struct OrderWireTests {
    /// A client with a will that is no longer read from because it has exceeded its message rate.
    private func withHeldBack(
        says goodbye: Bool, behind size: Int = 1,
        _ body: (PeerFactory, _ watcher: Peer, _ held: Peer) async throws -> Void
    ) async throws {
        try await withPeers {
            $0.limits.messageRate = .init(perSecond: 1, burst: 1)
            $0.limits.maximumPacketSize = 4 << 20
        } _: { peers in
            let watcher = try await peers.connect("watcher")
            _ = try await watcher.subscribe("#")
            let topic = try TopicName("will")
            let held = try await peers.connect("a") {
                $0.will = Connect.Will(topic: topic, payload: ByteBuffer(string: "gone"))
            }
            for number in 1...4 {
                try await held.publish("\(number)" + String(repeating: " ", count: size - 1), to: "t")
            }
            if goodbye { try await held.send(.disconnect(Disconnect())) }
            // All of this is on its way to the broker's event loop before anything sent later.
            try await held.link.eventLoop.submit {}.get()
            try await body(peers, watcher, held)
        }
    }

    private func texts(_ count: Int, of watcher: Peer) async throws -> [String] {
        var texts: [String] = []
        for _ in 0..<count { texts.append(String(buffer: try await watcher.receivePublish().payload)) }
        return texts
    }

    @Test("A DISCONNECT that has arrived ends the connection before a takeover does [MQTT-3.14.4-3]")
    func goodbyeBeforeTakeOver() async throws {
        try await self.withHeldBack(says: true) { peers, watcher, held in
            let next = try await peers.connect("a")
            #expect(try await held.receiveEnd() == nil)
            try await next.publish("next", to: "t")
            #expect(try await self.texts(5, of: watcher) == ["1", "2", "3", "4", "next"])
        }
    }

    @Test("A DISCONNECT behind several megabytes ends the connection before a takeover does [MQTT-3.14.4-3]")
    func goodbyeBehindMuch() async throws {
        let size = 900 << 10
        try await self.withHeldBack(says: true, behind: size) { peers, watcher, held in
            let next = try await peers.connect("a")
            #expect(try await held.receiveEnd() == nil)
            for _ in 1...4 { #expect(try await watcher.receivePublish().payload.readableBytes == size) }
            try await next.publish("next", to: "t")
            #expect(try await self.texts(1, of: watcher) == ["next"])
        }
    }

    @Test("Messages that have arrived are delivered before a takeover publishes the will")
    func messagesBeforeTakeOver() async throws {
        try await self.withHeldBack(says: false) { peers, watcher, held in
            _ = try await peers.connect("a")
            guard case .disconnect(let end)? = try await held.receiveEnd() else { throw PeerError.closed }
            #expect(end.reasonCode == .sessionTakenOver)
            #expect(try await self.texts(5, of: watcher) == ["1", "2", "3", "4", "gone"])
        }
    }

    @Test("A DISCONNECT that has arrived is processed before the administrator disconnects the client")
    func goodbyeBeforeKick() async throws {
        try await self.withHeldBack(says: true) { peers, watcher, held in
            peers.broker.disconnect("a")
            #expect(try await held.receiveEnd() == nil)
            try await peers.broker.publish("after", to: "t")
            #expect(try await self.texts(5, of: watcher) == ["1", "2", "3", "4", "after"])
        }
    }

    @Test("A DISCONNECT that has arrived is processed before the broker stops")
    func goodbyeBeforeStop() async throws {
        let network = InMemoryNetwork()
        let endpoint = Endpoint(host: "broker", port: 1883)
        var configuration = MQTTBrokerConfiguration(listeners: [.inMemory(network, at: endpoint)])
        configuration.systemTopicInterval = .zero
        configuration.limits.messageRate = .init(perSecond: 1, burst: 1)
        let store = MQTTMemoryStore()
        configuration.store = store
        let broker = MQTTBroker(configuration)
        try await broker.start()
        let peers = PeerFactory(broker: broker, network: network, endpoint: endpoint)
        let topic = try TopicName("will")
        let peer = try await peers.connect("a") {
            $0.will = Connect.Will(topic: topic, payload: ByteBuffer(string: "gone"), retain: true)
        }
        for number in 1...3 { try await peer.publish("\(number)", to: "t", retain: true) }
        try await peer.send(.disconnect(Disconnect()))
        try await peer.link.eventLoop.submit {}.get()
        await broker.stop()
        #expect(store.snapshot.retained.mapValues { $0.message.content.text } == [try TopicName("t"): "3"])
    }

    @Test("A client that closes during authentication does not end its own newer connection")
    func goneBeforeLetIn() async throws {
        /// Keeps the first client waiting until the test releases it.
        struct Slow: MQTTBrokerAuthenticator {
            let isFirstAsked: Watched<Bool>
            let isFirstFree: Watched<Bool>

            func authenticate(_ attempt: MQTTConnectionAttempt) async throws -> MQTTAuthenticationDecision {
                guard attempt.password == "first" else { return .allow }
                self.isFirstAsked.change { $0 = true }
                _ = try await self.isFirstFree.wait(for: "the second client", within: .seconds(30)) {
                    $0 ? true : nil as Bool?
                }
                return .allow
            }
        }
        let slow = Slow(isFirstAsked: Watched(false), isFirstFree: Watched(false))
        try await withPeers {
            $0.authenticators = [slow]
        } _: { peers in
            let first = try await peers.open()
            try await first.send(
                .connect(Connect(clientIdentifier: "a", username: "u", password: MQTTPassword("first"))))
            _ = try await slow.isFirstAsked.wait(for: "the first client", within: .seconds(30)) {
                $0 ? true : nil as Bool?
            }
            let second = try await peers.connect("a") { $0.username = "u" }
            first.close()
            try await first.link.eventLoop.submit {}.get()
            slow.isFirstFree.change { $0 = true }
            // Further connections, authenticated after the first one.
            for _ in 0..<20 { _ = try await peers.connect("b") { $0.username = "u" } }
            try await second.expectNothing()
            #expect(peers.broker.clients.count == 2)
        }
    }

    @Test("Reconnecting right after DISCONNECT and close publishes no will, over a socket [MQTT-3.14.4-3]")
    func goodbyeOverSocket() async throws {
        let broker = MQTTBroker(MQTTBrokerConfiguration(listeners: [.tcp(port: 0)]))
        try await broker.start()
        let wills = try await broker.subscribe(to: "will/#")
        let port = await broker.listeners[0].port
        let topic = try TopicName("will/a")
        var bytes = ByteBuffer()
        try Connect(
            version: .v3_1_1, clientIdentifier: "a",
            will: Connect.Will(topic: topic, payload: ByteBuffer(string: "gone"))
        ).encode(into: &bytes)
        let connect = Array(bytes.readableBytesView)
        let answers = await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(
                    returning: (0..<600).map { _ in Self.connectAndLeave(port, connect, goodbye: [0xE0, 0]) })
            }
        }
        #expect(answers.allSatisfy { $0 == [0x20, 2, 0, 0] })
        try await broker.publish("end", to: "will/end")
        var iterator = wills.makeAsyncIterator()
        #expect(await iterator.next()?.text == "end")
        await broker.stop()
    }

    /// Connects, sends `goodbye` and closes. Returns the broker's answer.
    private static func connectAndLeave(_ port: Int, _ connect: [UInt8], goodbye: [UInt8]) -> [UInt8] {
        #if canImport(Glibc)
        let type = Int32(SOCK_STREAM.rawValue)
        #else
        let type = SOCK_STREAM
        #endif
        let descriptor = socket(AF_INET, type, 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isConnected = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                #if canImport(Darwin)
                Darwin.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                #elseif canImport(Musl)
                Musl.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                #else
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                #endif
            }
        }
        guard isConnected, send(descriptor, connect, connect.count, 0) == connect.count else { return [] }
        var answer = [UInt8](repeating: 0, count: 4)
        guard recv(descriptor, &answer, 4, Int32(MSG_WAITALL)) == 4 else { return [] }
        _ = send(descriptor, goodbye, goodbye.count, 0)
        return answer
    }
}

import Curlew
import Foundation
import MosquittoFixture
import Testing

#if Tools
/// Clients with other libraries on `curlew broker`.
@Suite("Other client libraries work with Curlew's broker", .timeLimit(.minutes(5)))
struct SessionPeerTests {
    @Test(
        "paho-mqtt, aiomqtt, gmqtt, amqtt and awscrt",
        .enabled(
            if: SessionPeer.havePython, "the Python clients are not all installed; scripts/test installs them"),
        arguments: SessionPeer.python)
    func python(_ peer: SessionPeer) async throws { try await self.live(peer) }

    @Test(
        "node's mqtt", .enabled(if: SessionPeer.haveNode, "node-mqtt is not installed; scripts/test installs it"),
        arguments: SessionPeer.node)
    func node(_ peer: SessionPeer) async throws { try await self.live(peer) }

    @Test(
        "paho-mqtt, aiomqtt and awscrt over WebSocket, and paho-mqtt over a Unix domain socket",
        .enabled(
            if: SessionPeer.havePython, "the Python clients are not all installed; scripts/test installs them"),
        arguments: SessionPeer.pythonOverOthers)
    func pythonOverOthers(_ peer: SessionPeer) async throws { try await self.live(peer) }

    @Test(
        "node's mqtt over WebSocket",
        .enabled(if: SessionPeer.haveNode, "node-mqtt is not installed; scripts/test installs it"),
        arguments: SessionPeer.nodeOverOthers)
    func nodeOverOthers(_ peer: SessionPeer) async throws { try await self.live(peer) }

    @Test(
        "Paho for C",
        .enabled(if: SessionPeer.havePahoC, "libpaho-mqtt-dev is not installed; scripts/test installs it"),
        arguments: SessionPeer.pahoC)
    func pahoC(_ peer: SessionPeer) async throws { try await self.live(peer) }

    /// A client connects, receives its own messages, disconnects, and on its return receives what it missed and what is
    /// retained. It sends DISCONNECT both times, so its will is never published.
    private func live(_ peer: SessionPeer) async throws {
        let listeners = peer.listener == .tcp ? [.tcp] : [.tcp, peer.listener]
        try await Mosquitto.run(.init(listeners: listeners), on: .curlew) { broker in
            let watcher = try await broker.connect(Setup(listener: .tcp, version: .v5_0))
            let inbox = Inbox(try await watcher.subscribe(to: ["life/#", "will/#"]))

            let kept = peer.published("life/kept", "on", qos: 1, retain: true)
            let own = (UInt8(0)...2).map { peer.published("life/\($0)", "mine \($0)", qos: $0) } + [kept]
            let first = try await peer.run(broker, subscribingTo: "life/#", publishing: own, count: own.count)
            #expect(first.comparable == own.map { peer.received($0.live) }.comparable)

            let missed = (UInt8(1)...2).map {
                PeerMessage(topic: "life/away/\($0)", payload: Data("missed \($0)".utf8), qos: $0)
            }
            for message in missed { try await watcher.publish(message) }
            let second = try await peer.run(broker, subscribingTo: "life/kept", count: missed.count + 1)
            #expect(second.comparable == (missed + [kept]).map(peer.received).comparable)

            let end = PeerMessage(topic: "life/end", payload: Data(), qos: 1)
            try await watcher.publish(end)
            let all = own.map(\.live) + missed + [end]
            #expect(try await inbox.next(all.count).map(PeerMessage.init).comparable == all.comparable)
        }
    }
}
#endif

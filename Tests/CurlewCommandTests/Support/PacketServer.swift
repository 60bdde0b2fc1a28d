#if Tools
import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

/// A scripted broker on a port of this machine.
final class PacketServer: Sendable {
    /// A reaction to a packet.
    enum Step: Sendable {
        case send(Packet)
        case sendBytes([UInt8])
        case close
        /// Stop listening and close all connections.
        case vanish
    }

    /// Returns the reactions to a packet on the nth connection, counted from 1.
    typealias Script = @Sendable (_ packet: Packet, _ connection: Int) -> [Step]

    private struct State {
        var listener: SocketListener?
        var links: [any Link] = []
        var packets: [Packet] = []
        var connections = 0
    }

    private let script: Script
    /// Guards the recorded packets and connections.
    private let state = Mutex(State())

    private init(_ script: @escaping Script) { self.script = script }

    static func start(_ script: @escaping Script) async throws -> PacketServer {
        let server = PacketServer(script)
        let listener = try await SocketListener.bind { link in
            let number = server.state.withLock { state in
                state.connections += 1
                state.links.append(link)
                return state.connections
            }
            return Handler(link, server: server, number: number)
        }
        server.state.withLock { $0.listener = listener }
        return server
    }

    var port: Int { self.state.withLock { $0.listener?.port ?? 0 } }

    /// All packets received, in order.
    var packets: [Packet] { self.state.withLock { $0.packets } }

    var connections: Int { self.state.withLock { $0.connections } }

    func stop() async {
        let (listener, links) = self.state.withLock { ($0.listener, $0.links) }
        await listener?.close()
        for link in links { link.close() }
    }

    /// The answers of a broker that accepts everything.
    static func answer(to packet: Packet) -> [Step] {
        switch packet {
        case .connect: [.send(.connack(ConnAck()))]
        case .subscribe(let packet):
            [.send(.suback(SubAck(packet.packetID, packet.subscriptions.map { _ in .grantedQoS1 })))]
        case .unsubscribe(let packet):
            [.send(.unsuback(UnsubAck(packet.packetID, packet.filters.map { _ in .success })))]
        case .publish(let packet):
            packet.packetID.map { [.send(.puback(Acknowledgement($0)))] } ?? []
        case .pingreq: [.send(.pingresp)]
        case .disconnect: [.close]
        default: []
        }
    }

    fileprivate func received(_ packet: Packet, on number: Int) -> [Step] {
        self.state.withLock { $0.packets.append(packet) }
        return self.script(packet, number)
    }

    private final class Handler: LinkHandler {
        private let link: any Link
        private let server: PacketServer
        private let number: Int
        private var input = PacketInput(PacketDecoder(from: .client, version: .v5_0, maximumPacketSize: .max))

        init(_ link: any Link, server: PacketServer, number: Int) {
            self.link = link
            self.server = server
            self.number = number
        }

        func linkRead(_ bytes: ByteBuffer) {
            self.input.append(bytes)
            while let packet = try? self.input.next() {
                for step in self.server.received(packet, on: self.number) { self.take(step) }
            }
        }

        private func take(_ step: Step) {
            switch step {
            case .send(let packet):
                var bytes = ByteBuffer()
                try? packet.encode(into: &bytes, version: self.input.decoder.version)
                self.link.write(bytes)
            case .sendBytes(let bytes): self.link.write(ByteBuffer(bytes: bytes))
            case .close: self.link.closeAfterWrites(within: .seconds(1))
            case .vanish:
                let server = self.server
                Task { await server.stop() }
            }
        }

        func linkReadCompleted() {}
        func linkWritabilityChanged(_ isWritable: Bool) {}
        func linkClosed(_ error: TransportError?) {}
    }
}
#endif

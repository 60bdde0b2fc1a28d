import CurlewTransport
import NIOCore
import Synchronization

/// Forwards each accepted link to the next of several ports, and back: a man in the middle between client and broker.
final class Relay: Sendable {
    private let ports: [Int]
    private let count = Mutex(0)

    init(ports: [Int]) { self.ports = ports }

    func accept(_ near: any Link) -> any LinkHandler {
        let index = self.count.withLock { count in
            defer { count += 1 }
            return min(count, self.ports.count - 1)
        }
        let end = RelayEnd()
        Task {
            try? await SocketConnector().connect(
                to: Endpoint(host: "127.0.0.1", port: self.ports[index]), on: near.eventLoop
            ) { far in
                end.pass(to: far)
                let back = RelayEnd()
                back.pass(to: near)
                return back
            }
        }
        return end
    }
}

/// Forwards what it reads to another link once that is connected. Both links are on one event loop.
private final class RelayEnd: LinkHandler, Sendable {
    private struct State {
        var target: (any Link)?
        var waiting: [ByteBuffer] = []
    }

    private let state = Mutex(State())

    func pass(to target: any Link) {
        let waiting = self.state.withLock { state in
            state.target = target
            defer { state.waiting = [] }
            return state.waiting
        }
        for bytes in waiting { target.write(bytes) }
    }

    func linkRead(_ bytes: ByteBuffer) {
        let target = self.state.withLock { state in
            if state.target == nil { state.waiting.append(bytes) }
            return state.target
        }
        target?.write(bytes)
    }

    func linkReadCompleted() {}

    func linkWritabilityChanged(_ isWritable: Bool) {}

    func linkClosed(_ error: TransportError?) { self.state.withLock { $0.target }?.close() }
}

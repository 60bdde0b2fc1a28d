#if Tools
import Curlew
import CurlewTransport
import NIOCore
import Synchronization

/// The plug of a device's cable. What goes through it is an ordinary connection, which ends without a word to either side when
/// somebody pulls it.
final class DemoPlug: Connector {
    private let sockets: SocketConnector
    /// Guards the connection that was made last.
    private let link = Mutex<(any Link)?>(nil)

    init() throws(TransportError) { self.sockets = try SocketConnector() }

    func connect(
        to endpoint: Endpoint, on eventLoop: any EventLoop,
        handler: @escaping @Sendable (any Link) -> any LinkHandler
    ) async throws(TransportError) {
        try await self.sockets.connect(to: endpoint, on: eventLoop) { link in
            self.link.withLock { $0 = link }
            return handler(link)
        }
    }

    func pull() {
        // Outside the lock: whoever the connection belongs to is told of its end.
        let link = self.link.withLock { exchange(&$0, with: nil) }
        link?.close()
    }
}
#endif

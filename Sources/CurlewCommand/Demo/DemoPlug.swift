#if Tools
import Curlew
import CurlewTransport
import NIOCore
import Synchronization

/// The plug of a device's cable: a connector whose connection can be cut without DISCONNECT.
final class DemoPlug: Connector {
    private let sockets: SocketConnector
    /// Guards the current connection.
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
        // Outside the lock, because closing calls the owner of the connection.
        let link = self.link.withLock { exchange(&$0, with: nil) }
        link?.close()
    }
}
#endif

import CurlewCore
import CurlewTransport
import NIOCore

/// A connection as other threads know it.
final class ConnectionHandle: Sendable {
    let worker: Worker
    private let connection: NIOLoopBound<BrokerConnection>

    init(_ connection: BrokerConnection, worker: Worker) {
        self.worker = worker
        self.connection = NIOLoopBound(connection, eventLoop: worker.eventLoop)
    }

    /// Calls `body` with the connection, on its event loop.
    func execute(_ body: @escaping @Sendable (BrokerConnection) -> Void) {
        if self.worker.eventLoop.inEventLoop {
            body(self.connection.value)
        } else {
            self.worker.eventLoop.execute { body(self.connection.value) }
        }
    }

    /// The connection; on its event loop only.
    var onLoop: BrokerConnection { self.connection.value }
}

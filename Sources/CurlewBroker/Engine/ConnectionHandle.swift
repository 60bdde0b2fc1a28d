import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

/// A connection as other threads know it, for as long as its link is open.
final class ConnectionHandle: Sendable {
    let worker: Worker
    private let connection: NIOLoopBoundBox<BrokerConnection?>
    private let isForgotten = Atomic<Bool>(false)
    /// Whether the client was found to hold more of a full memory than others.
    let isToldToClose = Atomic<Bool>(false)

    init(_ connection: BrokerConnection, worker: Worker) {
        self.worker = worker
        self.connection = NIOLoopBoundBox(connection, eventLoop: worker.eventLoop)
    }

    /// Calls `body` with the connection, if its link is still open, in a task of its event loop of its own.
    func execute(_ body: @escaping @Sendable (BrokerConnection) -> Void) {
        self.worker.eventLoop.execute {
            if let connection = self.connection.value { body(connection) }
        }
    }

    /// The connection, if its link is still open; on its event loop only.
    var onLoop: BrokerConnection? { self.connection.value }

    /// The link is closed; on the connection's event loop only.
    func forget() {
        self.connection.value = nil
        self.isForgotten.store(true, ordering: .relaxed)
    }
}

extension ConnectionHandle: HeldPublisher {
    func released(by holder: ObjectIdentifier) { self.execute { $0.released(by: holder) } }

    var hasGone: Bool { self.isForgotten.load(ordering: .relaxed) }
}

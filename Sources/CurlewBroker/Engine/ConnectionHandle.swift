import NIOCore
import Synchronization

/// A connection as other threads know it, while its link is open.
final class ConnectionHandle: Sendable {
    let worker: Worker
    private let connection: NIOLoopBoundBox<(any HostedConnection)?>
    private let isForgotten = Atomic<Bool>(false)
    /// Whether the client was found to hold more of a full memory than others.
    let isToldToClose = Atomic<Bool>(false)

    init(_ connection: any HostedConnection, worker: Worker) {
        self.worker = worker
        self.connection = NIOLoopBoundBox(connection, eventLoop: worker.eventLoop)
    }

    /// Calls `body` with the connection in a later task of its event loop, if its link is still open then.
    func execute(_ body: @escaping @Sendable (any HostedConnection) -> Void) {
        self.worker.eventLoop.execute {
            if let connection = self.connection.value { body(connection) }
        }
    }

    /// The connection, if its link is still open; on its event loop only.
    var onLoop: (any HostedConnection)? { self.connection.value }

    /// The link is closed; on the connection's event loop only.
    func forget() {
        self.connection.value = nil
        self.isForgotten.store(true, ordering: .relaxed)
    }
}

extension ConnectionHandle: HeldPublisher {
    func released(by holder: ObjectIdentifier) { self.execute { $0.released(by: holder) } }

    var hasGone: Bool { self.isForgotten.load(ordering: .relaxed) }

    var isProgram: Bool { false }
}

import NIOCore

/// Leads closures that run later, or come from other threads, to a connection while its link is open.
struct ConnectionReference: Sendable {
    private let connection: NIOLoopBoundBox<BrokerConnection?>
    private let eventLoop: any EventLoop

    init(_ connection: BrokerConnection, eventLoop: any EventLoop) {
        self.connection = NIOLoopBoundBox(connection, eventLoop: eventLoop)
        self.eventLoop = eventLoop
    }

    /// The connection, if its link is still open; on its event loop only.
    var onLoop: BrokerConnection? { self.connection.value }

    /// Calls `body` with the connection in a later task of its event loop, if its link is still open then.
    func execute(_ body: @escaping @Sendable (BrokerConnection) -> Void) {
        self.eventLoop.execute { [connection] in
            if let connection = connection.value { body(connection) }
        }
    }

    /// The link is closed; on the connection's event loop only.
    func forget() { self.connection.value = nil }
}

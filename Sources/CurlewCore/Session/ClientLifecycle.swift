/// Where a client stands between `connect()` and `disconnect()`. What keeps it connected meanwhile is its *supervision*, which the first call
/// of `connect()` begins and all later ones share.
///
/// One method for each event.
package struct ClientLifecycle: Equatable, Sendable {
    private enum Phase {
        case idle
        /// Connected, or trying to be.
        case running
        /// Finishing what was begun; nothing new is accepted.
        case disconnecting
    }

    private var phase = Phase.idle
    /// How many calls of `connect()` wait for the first connection.
    package private(set) var connectCalls = 0
    /// Whether this supervision has had a connection.
    private var wasAccepted = false

    package private(set) var isConnected = false
    /// Whether there has been a connection since the client was made, or stopped.
    package private(set) var hasConnected = false
    /// Whether `connect()` must be called again before anything new is accepted.
    package private(set) var isStopped = false

    package init() {}

    /// The same for people.
    package enum Status: Equatable {
        case disconnected
        case connecting
        case connected
        case reconnecting
        case disconnecting
    }

    package var status: Status {
        switch self.phase {
        case .idle: .disconnected
        case .disconnecting: .disconnecting
        case .running where self.isConnected: .connected
        case .running: self.hasConnected ? .reconnecting : .connecting
        }
    }

    // MARK: Events

    package enum ConnectCall: Equatable {
        /// A supervision begins.
        case begin
        /// The one that runs will do.
        case join
        /// The client is being disconnected.
        case refuse
    }

    /// Somebody called `connect()`.
    package mutating func connectCalled() -> ConnectCall {
        switch self.phase {
        case .disconnecting: return .refuse
        case .running:
            self.connectCalls += 1
            return .join
        case .idle:
            self.phase = .running
            // One that was cancelled may not have returned yet.
            self.connectCalls += 1
            self.wasAccepted = false
            self.isStopped = false
            return .begin
        }
    }

    package enum ConnectCallEnd: Equatable {
        case none
        /// Nobody waits for the first connection any more: the supervision is to stop.
        case stop
    }

    /// A call of `connect()` has returned, or was cancelled.
    package mutating func connectCallEnded(isCancelled: Bool) -> ConnectCallEnd {
        self.connectCalls -= 1
        let isUnwanted = self.phase == .running && self.connectCalls == 0 && !self.wasAccepted
        return isCancelled && isUnwanted ? .stop : .none
    }

    /// The server accepted a connection. Returns whether it is not the first.
    package mutating func accepted() -> Bool {
        self.isConnected = true
        self.wasAccepted = true
        defer { self.hasConnected = true }
        return self.hasConnected
    }

    /// The connection is gone.
    package mutating func lost() { self.isConnected = false }

    package enum DisconnectCall: Equatable {
        /// The supervision is to stop when nothing is left to send.
        case drain
        /// There is no supervision: what waits for one ends now.
        case end
    }

    /// Somebody called `disconnect()`.
    package mutating func disconnectCalled() -> DisconnectCall {
        guard self.phase != .idle else {
            self.stop()
            return .end
        }
        self.phase = .disconnecting
        return .drain
    }

    package enum SupervisionEnd: Equatable {
        /// There was no connection, and `connect()` may be called again: what waits goes on waiting.
        case mayBeRepeated
        /// Whatever waits for the client ends.
        case final
    }

    /// The supervision has ended.
    ///
    /// - Parameter isFailure: Whether it has given up, and was not stopped.
    package mutating func supervisionEnded(isFailure: Bool) -> SupervisionEnd {
        let mayBeRepeated = self.phase == .running && (!isFailure || !self.wasAccepted)
        self.phase = .idle
        self.isConnected = false
        guard !mayBeRepeated else { return .mayBeRepeated }
        self.stop()
        return .final
    }

    private mutating func stop() {
        self.hasConnected = false
        self.isStopped = true
    }
}

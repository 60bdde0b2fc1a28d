/// The state of a client between `connect()` and `disconnect()`. Its *supervision* keeps it connected in between: the
/// first call of `connect()` starts it, and later calls share it.
///
/// One method for each event.
package struct ClientLifecycle: Equatable, Sendable {
    private enum Phase {
        case idle
        /// Connected, or trying to be.
        case running
        /// Finishing pending work; nothing new is accepted.
        case disconnecting
    }

    private var phase = Phase.idle
    /// The number of `connect()` calls that wait for the first connection.
    package private(set) var connectCalls = 0
    /// Whether the current supervision has had a connection.
    private var wasAccepted = false

    package private(set) var isConnected = false
    /// Whether there has been a connection since the client was created or stopped.
    package private(set) var hasConnected = false
    /// Whether `connect()` must be called again before anything new is accepted.
    package private(set) var isStopped = false

    package init() {}

    /// Describes the same for people.
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
        /// The running supervision suffices.
        case join
        /// The client is being disconnected.
        case refuse
    }

    /// `connect()` was called.
    package mutating func connectCalled() -> ConnectCall {
        switch self.phase {
        case .disconnecting: return .refuse
        case .running:
            self.connectCalls += 1
            return .join
        case .idle:
            self.phase = .running
            // A cancelled call may not have returned yet.
            self.connectCalls += 1
            self.wasAccepted = false
            self.isStopped = false
            return .begin
        }
    }

    package enum ConnectCallEnd: Equatable {
        case none
        /// No call waits for the first connection any more: stop the supervision.
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

    /// The connection is lost.
    package mutating func lost() { self.isConnected = false }

    package enum DisconnectCall: Equatable {
        /// Stop the supervision once nothing is left to send.
        case drain
        /// There is no supervision: requests that wait for a connection end now.
        case end
    }

    /// `disconnect()` was called.
    package mutating func disconnectCalled() -> DisconnectCall {
        guard self.phase != .idle else {
            self.stop()
            return .end
        }
        self.phase = .disconnecting
        return .drain
    }

    package enum SupervisionEnd: Equatable {
        /// There was no connection, and `connect()` may be called again: requests keep waiting.
        case mayBeRepeated
        /// All requests end.
        case final
    }

    /// The supervision has ended.
    ///
    /// - Parameter isFailure: Whether it gave up, as opposed to being stopped.
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

import CurlewCore
import CurlewTransport

/// A client's life, and what comes with it: the supervisor that keeps it connected, the identifier it connects under, and its end.
struct ClientLife {
    var lifecycle = ClientLifecycle()
    /// `nil` while nobody has called `connect()`.
    var supervision: Supervision?
    var clientIdentifier: String
    /// The properties of the DISCONNECT with which this client goes.
    var goodbye = Properties()
    /// What ended the client for good, for calls that come later; `nil` if it was disconnected.
    private(set) var stopError: MQTTError?
    /// Calls of `disconnect()` that wait until nothing is left to send.
    private var drainWaiters: [OneShot<Void>] = []

    init(clientIdentifier: String) { self.clientIdentifier = clientIdentifier }

    /// Why nothing new is accepted; `nil` if it is.
    var refusal: MQTTError? {
        switch self.lifecycle.status {
        case .disconnecting: MQTTError(.clientStopped, "The client is being disconnected.")
        case .disconnected where self.lifecycle.isStopped:
            self.stopError
                ?? MQTTError(.clientStopped, "The client was disconnected: call `connect()` to use it again.")
        case .disconnected, .connecting, .connected, .reconnecting: nil
        }
    }

    mutating func begins(_ supervision: Supervision, goodbye: Properties) {
        self.stopError = nil
        self.goodbye = goodbye
        self.supervision = supervision
    }

    mutating func stopped(_ error: MQTTError?) { self.stopError = error }

    mutating func waitForDrain(_ waiter: OneShot<Void>) { self.drainWaiters.append(waiter) }

    var drainWaiterCount: Int { self.drainWaiters.count }

    mutating func takeDrainWaiters() -> [OneShot<Void>] { exchange(&self.drainWaiters, with: []) }
}

/// The task that keeps a client connected, and what tells of its first connection and its end.
struct Supervision {
    let task: Task<Void, Never>
    /// Set when the first connection is there, with whether the session was resumed, or cannot be made.
    let first: OneShot<Result<Bool, MQTTError>>
    /// What was not delivered.
    let ended: OneShot<DrainReport>

    /// Ends what `connect()` began. Not cut short by cancellation: closing is bounded by `connection.disconnectTimeout`.
    @discardableResult
    nonisolated(nonsending) func stop() async -> DrainReport {
        self.task.cancel()
        await self.task.value
        return self.ended.value ?? DrainReport()
    }
}

import CurlewCore
import CurlewTransport

/// The state of a client between `connect()` and `disconnect()`, with its supervisor, client identifier and stop error.
struct ClientLife {
    var lifecycle = ClientLifecycle()
    /// `nil` while the client is neither connected nor connecting.
    var supervision: Supervision?
    var clientIdentifier: String
    /// The properties of the DISCONNECT that `disconnect()` sends.
    var goodbye = Properties()
    /// The error with which the client gave up, for later calls; `nil` if it was disconnected.
    private(set) var stopError: MQTTError?
    /// Why the last connection ended, or the last attempt failed; `nil` if there was none since the client connected.
    var connectionError: MQTTError?
    /// The calls of `disconnect()` that wait until the session is drained.
    private var drainWaiters: [OneShot<Void>] = []

    init(clientIdentifier: String) { self.clientIdentifier = clientIdentifier }

    /// Why new calls are refused; `nil` if they are accepted.
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

/// The task that keeps a client connected, with its first outcome and its end.
struct Supervision {
    let task: Task<Void, Never>
    /// Set when the first connection is established, with whether the session was resumed, or has failed.
    let first: OneShot<Result<Bool, MQTTError>>
    /// Set when the task ends, with the numbers of messages that were not delivered.
    let ended: OneShot<DrainReport>

    /// Stops the task and waits for its end, even if the caller is cancelled: `connection.disconnectTimeout` limits how
    /// long closing takes.
    @discardableResult
    nonisolated(nonsending) func stop() async -> DrainReport {
        self.task.cancel()
        await self.task.value
        return self.ended.value ?? DrainReport()
    }
}

import Synchronization

/// What one event loop has counted since the start. Each loop writes its own, so that none waits for another.
final class Counters: Sendable {
    let messagesReceived = Atomic<Int>(0)
    let messagesSent = Atomic<Int>(0)
    let publishesReceived = Atomic<Int>(0)
    let publishesSent = Atomic<Int>(0)
    let publishesDropped = Atomic<Int>(0)
    let publishesRefused = Atomic<Int>(0)
    let holds = Atomic<Int>(0)
    let bytesReceived = Atomic<Int>(0)
    let bytesSent = Atomic<Int>(0)
    let publishBytesReceived = Atomic<Int>(0)
    let connectionsAccepted = Atomic<Int>(0)
}

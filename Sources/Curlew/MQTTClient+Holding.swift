import CurlewCore
import NIOCore
import Synchronization

// A subscription whose consumer is slow can have the server wait: nothing is read from the connection until the consumer has taken
// some of what it has. The command does so, whose output may be a slow pipe.
extension MQTTSubscription {
    /// From now on the connection rests when so many bytes of memory wait here: no message is dropped, and the server finds out that
    /// its client is slow.
    ///
    /// While it rests no acknowledgement arrives either: whoever consumes must not wait for one.
    package func holdReading(above bytes: Int) { self.buffer.holdReading(above: bytes) }
}

extension MQTTClient {
    /// A subscription has as much as it wants, or takes more again.
    func subscription(_ id: SubscriberID, isFull: Bool) {
        let connection = self.shared.withLock { shared in
            if isFull { shared.fullSubscriptions.insert(id) } else { shared.fullSubscriptions.remove(id) }
            self.isHoldingReading.store(!shared.fullSubscriptions.isEmpty, ordering: .relaxed)
            return shared.connection
        }
        // What fills up does so in the middle of a read, whose end looks after it.
        guard !isFull, let connection else { return }
        self.eventLoop.execute { connection.value.readOnAfterHolding() }
    }
}

/// Why the connection of a client is not read for a while.
struct ReadingPause: OptionSet {
    let rawValue: UInt8

    /// The server makes us answer more than it takes.
    static let answers = Self(rawValue: 1)
    /// A consumer has more than it can deal with.
    static let consumer = Self(rawValue: 2)
}

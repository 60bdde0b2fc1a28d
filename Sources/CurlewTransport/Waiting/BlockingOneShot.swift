import NIOConcurrencyHelpers
import NIOPosix
import Synchronization

/// A value that is set once, for which a thread waits: the blocking counterpart of ``OneShot``.
package final class BlockingOneShot<Value: Sendable>: Sendable {
    /// Guards the value.
    private let value = Mutex<Value?>(nil)
    private let isSet = ConditionLock(value: false)

    package init() {}

    /// Sets the value; does nothing if it is already set.
    package func set(_ value: Value) {
        let isFirst = self.value.withLock { current in
            guard current == nil else { return false }
            current = value
            return true
        }
        guard isFirst else { return }
        self.isSet.lock()
        self.isSet.unlock(withValue: true)
    }

    /// Blocks the thread until the value is set.
    package func wait() -> Value {
        while true {
            if let value = self.value.withLock({ $0 }) { return value }
            self.isSet.lock(whenValue: true)
            self.isSet.unlock()
        }
    }
}

/// The threads that must not block.
package enum BlockingRules {
    /// Why the current thread must not block; `nil` if it may.
    package static var objection: String? {
        if MultiThreadedEventLoopGroup.currentEventLoop != nil { return "an event loop" }
        return withUnsafeCurrentTask { $0 != nil } ? "a Swift task" : nil
    }
}

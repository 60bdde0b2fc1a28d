#if CURLEW_THREAD_SANITIZER
import Glibc

/// Replaces Synchronization's `Mutex` in builds for the thread sanitizer. That mutex waits and hands over in the
/// kernel, where the sanitizer cannot see it and reports a race; it understands POSIX mutexes.
final class Mutex<Value>: @unchecked Sendable {
    private let value: UnsafeMutablePointer<Value>
    private let lock: UnsafeMutablePointer<pthread_mutex_t>

    init(_ value: consuming sending Value) {
        self.value = .allocate(capacity: 1)
        self.value.initialize(to: value)
        self.lock = .allocate(capacity: 1)
        pthread_mutex_init(self.lock, nil)
    }

    deinit {
        self.value.deinitialize(count: 1)
        self.value.deallocate()
        pthread_mutex_destroy(self.lock)
        self.lock.deallocate()
    }

    func withLock<Result, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        pthread_mutex_lock(self.lock)
        defer { pthread_mutex_unlock(self.lock) }
        return try body(&self.value.pointee)
    }
}
#endif

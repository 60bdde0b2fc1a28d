#if CURLEW_THREAD_SANITIZER
#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Replaces Synchronization's `Mutex` in builds for the thread sanitizer, which does not see the ordering that a futex
/// establishes and reports races that do not exist. It does see the ordering of a POSIX mutex.
///
/// Each target that is tested with the sanitizer names it `Mutex`, which hides the one of Synchronization.
package final class SanitizedMutex<Value>: @unchecked Sendable {
    private let value: UnsafeMutablePointer<Value>
    private let lock: UnsafeMutablePointer<pthread_mutex_t>

    package init(_ value: consuming sending Value) {
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

    package func withLock<Result, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        pthread_mutex_lock(self.lock)
        defer { pthread_mutex_unlock(self.lock) }
        return try body(&self.value.pointee)
    }
}

typealias Mutex = SanitizedMutex
#endif

#if CURLEW_THREAD_SANITIZER
import CurlewTransport

typealias Mutex = SanitizedMutex
#endif

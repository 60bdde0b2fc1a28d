// What a user of the client needs to name comes along with `import Curlew`: the standard's words, and NIO's buffer.
@_exported public import CurlewCore

@_exported public import struct CurlewTransport.TLSSettings
@_exported public import struct CurlewTransport.TransportError
@_exported public import struct NIOCore.ByteBuffer

#if CURLEW_THREAD_SANITIZER
import CurlewTransport

typealias Mutex = SanitizedMutex
#endif

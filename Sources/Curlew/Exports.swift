// Re-exports the types that this module's interface uses.
@_exported public import CurlewCore

@_exported public import struct CurlewTransport.ProxySettings
@_exported public import struct CurlewTransport.TLSSettings
@_exported public import struct CurlewTransport.TransportError
@_exported public import struct CurlewTransport.WebSocketSettings
@_exported public import struct NIOCore.ByteBuffer

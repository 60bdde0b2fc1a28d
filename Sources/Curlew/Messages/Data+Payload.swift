public import CurlewCore
public import NIOCore

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

extension Data: MQTTPayload {
    /// The bytes.
    public var mqttPayload: ByteBuffer { ByteBuffer(bytes: self) }
}

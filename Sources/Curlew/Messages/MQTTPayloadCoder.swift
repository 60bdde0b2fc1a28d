public import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Converts values to payloads and back: JSON by default (``MQTTJSONCoder``), or any format with `Codable` coders.
///
/// ```swift
/// struct CBORCoder: MQTTPayloadCoder {
///     let contentType: String? = "application/cbor"
///     func encode(_ value: some Encodable) throws -> ByteBuffer { … }
///     func decode<Value: Decodable>(_ type: Value.Type, from payload: ByteBuffer) throws -> Value { … }
/// }
/// var configuration = try MQTTConfiguration(url: "mqtt://localhost")
/// configuration.payloadCoder = CBORCoder()
/// ```
public protocol MQTTPayloadCoder: Sendable {
    /// The content type of messages with such payloads (MQTT 5.0 section 3.3.2.3.9); `nil` for none.
    var contentType: String? { get }

    /// Whether payloads with this content type can be decoded. Messages without a content type are always decoded.
    ///
    /// Default: whether it is ``contentType``, ignoring case and parameters such as `charset`.
    func accepts(contentType: String) -> Bool

    /// Encodes a value.
    func encode(_ value: some Encodable) throws -> ByteBuffer

    /// Decodes a payload.
    func decode<Value: Decodable>(_ type: Value.Type, from payload: ByteBuffer) throws -> Value
}

extension MQTTPayloadCoder {
    /// Whether it is ``contentType``, ignoring case and parameters such as `charset`.
    public func accepts(contentType: String) -> Bool {
        guard let own = self.contentType, own != contentType else { return true }
        return mediaType(contentType) == mediaType(own)
    }
}

/// The media type of a content type, without parameters.
private func mediaType(_ contentType: String) -> String {
    let end = contentType.firstIndex(of: ";") ?? contentType.endIndex
    return contentType[..<end].lowercased().filter { $0 != " " }
}

/// Payloads in JSON, with the content type `application/json`.
public struct MQTTJSONCoder: MQTTPayloadCoder {
    /// Creates a coder with Foundation's defaults: dates, for example, are numbers. For another form, write a
    /// ``MQTTPayloadCoder`` of your own.
    public init() {}

    /// `application/json`.
    public var contentType: String? { "application/json" }

    /// Any type whose name says that it is JSON, such as `application/json`, `text/json` and `application/senml+json`.
    public func accepts(contentType: String) -> Bool {
        if contentType == self.contentType { return true }
        let type = mediaType(contentType)
        return type.hasSuffix("/json") || type.hasSuffix("+json")
    }

    /// Encodes a value as JSON.
    public func encode(_ value: some Encodable) throws -> ByteBuffer {
        ByteBuffer(bytes: try Self.encoder.encode(value))
    }

    /// Decodes JSON.
    public func decode<Value: Decodable>(_ type: Value.Type, from payload: ByteBuffer) throws -> Value {
        try payload.withUnsafeReadableBytes { try Self.decode(type, from: $0) }
    }

    /// Decodes JSON in place.
    static func decode<Value: Decodable>(_ type: Value.Type, from bytes: UnsafeRawBufferPointer) throws -> Value {
        try Self.decoder.decode(type, from: Data(borrowing: bytes))
    }

    /// Encodes a value as JSON, with the members of objects in the order of their names.
    static func sorted(_ value: some Encodable) throws -> ByteBuffer {
        ByteBuffer(bytes: try Self.sortingEncoder.encode(value))
    }

    // Never changed, so that threads can share them.
    private static let sortingEncoder: JSONEncoder = {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }()
    private static let encoder = JSONEncoder()
    private static let decoder = JSONDecoder()
}

extension Data {
    /// These bytes, which must not change as long as the value exists.
    init(borrowing bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else {
            self.init()
            return
        }
        self.init(bytesNoCopy: UnsafeMutableRawPointer(mutating: start), count: bytes.count, deallocator: .none)
    }
}

extension MQTTPayloadCoder where Self == MQTTJSONCoder {
    /// JSON with Foundation's defaults.
    public static var json: MQTTJSONCoder { MQTTJSONCoder() }
}

extension MQTTPayloadCoder {
    /// Encodes a value that the caller has passed.
    func payload(of value: some Encodable) throws(MQTTError) -> ByteBuffer {
        do { return try self.encode(value) } catch {
            throw MQTTError(
                .invalidArgument, "The value of type \(type(of: value)) cannot be encoded: \(error)",
                delivery: .notSent, cause: error)
        }
    }
}

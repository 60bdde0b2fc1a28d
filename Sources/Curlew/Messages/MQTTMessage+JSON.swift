internal import CurlewCore
internal import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension MQTTMessage {
    /// Decodes the payload from JSON.
    ///
    /// - Parameter type: The type to decode.
    /// - Throws: ``MQTTError`` with code `decodingFailed`; the message names the topic and what does not match.
    public func decode<Value: Decodable>(_ type: Value.Type = Value.self) throws(MQTTError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(self.bytes))
        } catch {
            throw MQTTError(
                .decodingFailed,
                "The message on \"\(self.topic)\" is not JSON for \(type): \(Self.explain(error))", cause: error)
        }
    }

    private static func explain(_ error: any Error) -> String {
        func path(_ context: Swift.DecodingError.Context) -> String {
            let keys = context.codingPath.map(\.stringValue).joined(separator: ".")
            return keys.isEmpty ? "at the top level" : "at \(keys)"
        }
        return switch error {
        case Swift.DecodingError.keyNotFound(let key, let context):
            "\"\(key.stringValue)\" is missing \(path(context))."
        case Swift.DecodingError.typeMismatch(let type, let context): "expected \(type) \(path(context))."
        case Swift.DecodingError.valueNotFound(let type, let context): "null instead of \(type) \(path(context))."
        case Swift.DecodingError.dataCorrupted(let context): "\(context.debugDescription) (\(path(context)))."
        default: "\(error)"
        }
    }
}

/// Encodes all JSON payloads, so that they look alike.
func encodeJSON(_ value: some Encodable) throws(MQTTError) -> ByteBuffer {
    do {
        return ByteBuffer(bytes: try JSONEncoder().encode(value))
    } catch {
        throw MQTTError(
            .invalidArgument, "The value of type \(type(of: value)) cannot be encoded as JSON: \(error)",
            delivery: .notSent, cause: error)
    }
}

extension AsyncSequence where Element == MQTTMessage {
    /// Decodes each message from JSON. The first message that does not match ends the sequence with an error; to
    /// continue after such messages, call ``MQTTMessage/decode(_:)`` for each message instead.
    public func decode<Value: Decodable & SendableMetatype>(
        _ type: Value.Type = Value.self
    ) -> AsyncThrowingMapSequence<Self, Value> {
        self.map { message in try message.decode(Value.self) }
    }
}

internal import CurlewCore
internal import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension MQTTMessage {
    /// Decodes the payload as JSON.
    ///
    /// - Parameter type: What to decode it to.
    /// - Throws: ``MQTTError`` with code `decodingFailed` that names the topic and what did not fit.
    public func decode<Value: Decodable>(_ type: Value.Type = Value.self) throws(MQTTError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(self.bytes))
        } catch {
            throw MQTTError(
                .decodingFailed,
                "The message on \"\(self.topic)\" is not the JSON of a \(type): \(Self.explain(error))", cause: error)
        }
    }

    private static func explain(_ error: any Error) -> String {
        func path(_ context: Swift.DecodingError.Context) -> String {
            let keys = context.codingPath.map(\.stringValue).joined(separator: ".")
            return keys.isEmpty ? "at its top" : "at \(keys)"
        }
        return switch error {
        case Swift.DecodingError.keyNotFound(let key, let context):
            "\"\(key.stringValue)\" is missing \(path(context))."
        case Swift.DecodingError.typeMismatch(let type, let context): "no \(type) \(path(context))."
        case Swift.DecodingError.valueNotFound(let type, let context): "null in place of a \(type) \(path(context))."
        case Swift.DecodingError.dataCorrupted(let context): "\(context.debugDescription) (\(path(context)))."
        default: "\(error)"
        }
    }
}

/// JSON out: one place, so that every payload is encoded alike.
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
    /// The messages, each decoded from JSON. The first that does not fit ends the sequence with an error; to go on after
    /// such messages, call ``MQTTMessage/decode(_:)`` on each yourself.
    public func decode<Value: Decodable & SendableMetatype>(
        _ type: Value.Type = Value.self
    ) -> AsyncThrowingMapSequence<Self, Value> {
        self.map { message in try message.decode(Value.self) }
    }
}

import CurlewCore
import NIOCore

extension MQTTMessage {
    /// Decodes the payload from JSON.
    ///
    /// - Parameter type: The type to decode.
    /// - Throws: ``MQTTError`` with code `decodingFailed`; the message names the topic and what does not match.
    public func decode<Value: Decodable>(_ type: Value.Type = Value.self) throws(MQTTError) -> Value {
        try self.decode(type, with: .json)
    }

    /// Decodes the payload.
    ///
    /// - Parameters:
    ///   - type: The type to decode.
    ///   - coder: Decodes the payload, for example that of ``MQTTConfiguration/payloadCoder``.
    /// - Throws: ``MQTTError`` with code `decodingFailed`; the message names the topic and what does not match: the
    ///   content type, which messages over MQTT 5.0 may have, or the payload.
    public func decode<Value: Decodable>(
        _ type: Value.Type = Value.self, with coder: any MQTTPayloadCoder
    ) throws(MQTTError) -> Value {
        if let contentType = self.properties.contentType, !coder.accepts(contentType: contentType) {
            throw MQTTError(
                .decodingFailed,
                "The message on \"\(self.topic)\" has the content type \(contentType), not \(coder.contentType ?? "one that can be decoded")."
            )
        }
        do {
            if coder is MQTTJSONCoder { return try self.withPayload { try MQTTJSONCoder.decode(type, from: $0) } }
            return try coder.decode(type, from: self.payload)
        } catch {
            let format = coder.contentType == MQTTJSONCoder().contentType ? "JSON" : coder.contentType ?? "a payload"
            throw self.mismatch(type, format, error)
        }
    }

    /// The error for a payload that does not decode.
    func mismatch(_ type: Any.Type, _ format: String, _ error: any Error) -> MQTTError {
        MQTTError(
            .decodingFailed,
            "The message on \"\(self.topic)\" is not \(format) for \(type): \(Self.explain(error))", cause: error)
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

extension AsyncSequence where Element == MQTTMessage {
    /// Decodes each message from JSON. The first message that does not match ends the sequence with an error; to
    /// continue after such messages, call ``MQTTMessage/decode(_:)`` for each message instead.
    public func decode<Value: Decodable & SendableMetatype>(
        _ type: Value.Type = Value.self
    ) -> AsyncThrowingMapSequence<Self, Value> {
        self.map { message in try message.decode(Value.self) }
    }
}

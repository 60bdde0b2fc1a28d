import CurlewCore
import NIOCore

/// Reads the values of a call or an answer from a message.
struct CallReader {
    private let message: MQTTMessage

    init(_ message: MQTTMessage) { self.message = message }

    /// The value at a place; `nil` if it is missing, `null` or of another form.
    func probe<Value: Decodable>(_ place: MQTTDialect.Place) -> Value? {
        switch place.kind {
        case .json(let path): return (try? CallProbe<Value>.read(path, of: self.message.payload)) ?? nil
        case .userProperty(let name): return self.property(name)
        case .payload, .jsonPayload, .text: return try? self.value(Value.self, at: place, .json)
        case .correlationData, .responseTopic: return nil
        }
    }

    /// The value at a place.
    ///
    /// A payload that is no JSON is its text, if that is what the caller wants. A missing value is `null`, and so is an
    /// empty payload.
    ///
    /// - Throws: ``MQTTError`` with code `decodingFailed`.
    func value<Value: Decodable>(
        _ type: Value.Type, at place: MQTTDialect.Place, _ coder: any MQTTPayloadCoder
    ) throws(MQTTError) -> Value {
        switch place.kind {
        case .json(let path):
            do {
                if let value = try CallProbe<Value>.read(path, of: self.message.payload) { return value }
            } catch {
                throw self.message.mismatch(type, "JSON", error)
            }
            return try self.null(type, path.joined(separator: "."))
        case .payload, .jsonPayload, .text:
            if self.message.byteCount == 0 { return try self.null(type, "the payload") }
            do {
                return try self.message.decode(type, with: place == .payload ? coder : MQTTJSONCoder())
            } catch {
                if let text = self.message.text as? Value { return text }
                if let text = JSONValue.string(self.message.text) as? Value, place == .text { return text }
                throw error
            }
        case .userProperty(let name):
            if let value: Value = self.property(name) { return value }
            return try self.null(type, "the user property \(name)")
        case .correlationData, .responseTopic: return try self.null(type, "")
        }
    }

    private func property<Value: Decodable>(_ name: String) -> Value? {
        guard let text = self.message.properties[name] else { return nil }
        if let text = text as? Value { return text }
        if let value = try? MQTTJSONCoder().decode(Value.self, from: ByteBuffer(string: text)) { return value }
        return JSONValue.string(text) as? Value ?? CallID(text) as? Value
    }

    private func null<Value: Decodable>(_ type: Value.Type, _ name: String) throws(MQTTError) -> Value {
        do { return try MQTTJSONCoder().decode(type, from: ByteBuffer(string: "null")) } catch {
            throw MQTTError(.decodingFailed, "\(name) is missing, which should be a \(type).", cause: error)
        }
    }
}

/// Writes the values of a call or an answer to a message.
struct CallWriter {
    private let coder: any MQTTPayloadCoder
    /// The members of a JSON payload.
    var body = CallBody()
    private var whole: ByteBuffer?
    private(set) var properties = MessageProperties()

    init(_ coder: any MQTTPayloadCoder) { self.coder = coder }

    /// Puts a value at its place.
    ///
    /// - Throws: ``MQTTError`` with code `invalidArgument` if the place needs an object and the value is none; what the
    ///   coder throws.
    mutating func put(_ value: any Encodable & Sendable, at place: MQTTDialect.Place) throws {
        switch place.kind {
        case .json([]): try self.merge(value)
        case .json(let path): self.body.put(value, at: path)
        case .payload:
            self.whole = try Self.encode(value, self.coder)
            self.properties.contentType = self.coder.contentType
        case .jsonPayload:
            self.whole = try CallBody.json(value)
            self.properties.contentType = MQTTJSONCoder().contentType
        case .text: self.whole = ByteBuffer(string: try Self.json(of: value).plainText)
        case .userProperty(let name): self.properties[name] = try Self.json(of: value).plainText
        case .correlationData, .responseTopic: break
        }
    }

    private mutating func merge(_ value: any Encodable & Sendable) throws {
        guard case .object(let members) = try Self.json(of: value) else {
            throw MQTTError(.invalidArgument, "The parameters must be an object in this dialect.")
        }
        for (name, member) in members { self.body.put(member, at: [name]) }
    }

    private static func encode(_ value: some Encodable, _ coder: any MQTTPayloadCoder) throws -> ByteBuffer {
        try coder.encode(value)
    }

    private static func json(of value: any Encodable & Sendable) throws -> JSONValue {
        if let json = value as? JSONValue { return json }
        if let text = value as? String { return .string(text) }
        return try MQTTJSONCoder().decode(JSONValue.self, from: CallBody.json(value))
    }

    /// The payload of the message.
    func payload() throws -> ByteBuffer {
        if let whole = self.whole { return whole }
        return self.body.isEmpty ? ByteBuffer() : try self.body.json()
    }
}

import CurlewCore
import NIOCore

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
            self.whole = try MQTTJSONCoder.sorted(value)
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
        return try MQTTJSONCoder().decode(JSONValue.self, from: MQTTJSONCoder.sorted(value))
    }

    /// The payload of the message.
    func payload() throws -> ByteBuffer {
        if let whole = self.whole { return whole }
        return self.body.isEmpty ? ByteBuffer() : try self.body.json()
    }
}

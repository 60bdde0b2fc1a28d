import CurlewCore
import NIOCore

/// Reads the values of a call or an answer from a message, of type `Value` the parameters or the result. Values of a
/// JSON payload are read in one pass.
struct CallReader<Value: Decodable> {
    private let message: MQTTMessage
    private let valuePlace: MQTTDialect.Place?
    private let places: CallPlaces
    /// The members at these places.
    private var members: [CallMember?] = []
    private var frameValue: Result<Value?, any Error>?

    /// Reads a message.
    ///
    /// - Parameters:
    ///   - places: What to read of a JSON payload.
    ///   - value: The place of the parameters or the result; `nil` to read none.
    init(_ message: MQTTMessage, _ places: CallPlaces, value: MQTTDialect.Place? = nil) {
        self.message = message
        self.valuePlace = value
        self.places = places
        let path = value?.jsonPath
        guard !places.isEmpty || path != nil else { return }
        do {
            let frame = try CallFrame<Value>(of: message, .init(members: places, value: path))
            self.members = frame.members
            self.frameValue = path == nil ? nil : frame.value
        } catch {
            self.frameValue = .failure(error)
        }
    }

    private func member(at place: MQTTDialect.Place) -> CallMember? {
        guard !self.members.isEmpty else { return nil }
        return self.places.firstIndex(of: place).flatMap { self.members[$0] }
    }

    /// The text at a place; `nil` if it is missing or of another form.
    func text(at place: MQTTDialect.Place?) -> String? {
        guard let place else { return nil }
        switch place.kind {
        case .json: if case .text(let text)? = self.member(at: place) { return text }
        case .userProperty(let name): return self.message.properties[name]
        case .payload, .jsonPayload, .text: return try? self.message.decode(String.self)
        case .correlationData, .responseTopic: break
        }
        return nil
    }

    /// The identifier at a place; `nil` if it is missing or of another form.
    func id(at place: MQTTDialect.Place?) -> CallID? {
        guard let place else { return nil }
        switch place.kind {
        case .json: if case .id(let id)? = self.member(at: place) { return id }
        case .userProperty(let name): return self.message.properties[name].map { CallID($0) }
        case .payload, .jsonPayload, .text: return try? self.message.decode(CallID.self)
        case .correlationData, .responseTopic: break
        }
        return nil
    }

    /// The value at a place; `nil` if it is missing or `null`.
    func json(at place: MQTTDialect.Place?) -> JSONValue? {
        guard let place else { return nil }
        switch place.kind {
        case .json: if case .json(let value)? = self.member(at: place) { return value }
        case .userProperty(let name): return self.message.properties[name].map { JSONValue(property: $0) }
        case .payload, .jsonPayload, .text: return try? self.message.decode(JSONValue.self)
        case .correlationData, .responseTopic: break
        }
        return nil
    }

    /// Whether there is a value at a place.
    func hasValue(at place: MQTTDialect.Place) -> Bool {
        switch place.kind {
        case .json(let path) where !path.isEmpty: self.member(at: place) != nil
        case .json, .payload, .jsonPayload, .text: self.message.byteCount > 0
        case .userProperty(let name): self.message.properties[name] != nil
        case .correlationData, .responseTopic: false
        }
    }

    /// The parameters or the result.
    ///
    /// A payload that is no JSON is its text, if that is what the caller wants. A missing value is `null`, and so is an
    /// empty payload.
    ///
    /// - Throws: ``MQTTError`` with code `decodingFailed`.
    func value(_ coder: any MQTTPayloadCoder) throws(MQTTError) -> Value {
        guard let place = self.valuePlace else { return try self.null("") }
        switch place.kind {
        case .json(let path):
            do {
                if let value = try self.frameValue?.get() { return value }
            } catch {
                throw self.message.mismatch(Value.self, "JSON", error)
            }
            return try self.null(path.joined(separator: "."))
        case .payload, .jsonPayload, .text:
            if self.message.byteCount == 0 { return try self.null("the payload") }
            do {
                return try self.message.decode(Value.self, with: place == .payload ? coder : MQTTJSONCoder())
            } catch {
                if let text = self.message.text as? Value { return text }
                if let text = JSONValue.string(self.message.text) as? Value, place == .text { return text }
                throw error
            }
        case .userProperty(let name):
            guard let text = self.message.properties[name] else { return try self.null("the user property \(name)") }
            if let text = text as? Value { return text }
            if let value = JSONValue(property: text) as? Value { return value }
            do { return try MQTTJSONCoder().decode(Value.self, from: ByteBuffer(string: text)) } catch {
                throw self.message.mismatch(Value.self, "JSON in the user property \(name)", error)
            }
        case .correlationData, .responseTopic: return try self.null("")
        }
    }

    private func null(_ name: String) throws(MQTTError) -> Value {
        do { return try MQTTJSONCoder().decode(Value.self, from: ByteBuffer(string: "null")) } catch {
            throw MQTTError(.decodingFailed, "\(name) is missing, which should be a \(Value.self).", cause: error)
        }
    }
}

extension JSONValue {
    /// The value of a user property: JSON, or text.
    fileprivate init(property text: String) {
        self = (try? MQTTJSONCoder().decode(JSONValue.self, from: ByteBuffer(string: text))) ?? .string(text)
    }
}

/// Stands for the type of a value that is not read.
struct NoValue: Decodable {}

extension MQTTDialect.Place {
    /// The path of a place in a JSON payload.
    var jsonPath: [String]? {
        if case .json(let path) = self.kind { path } else { nil }
    }
}

import CurlewCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The values of a JSON payload that identify and describe a call, and its parameters or result, read in one pass.
struct CallFrame<Value: Decodable>: DecodableWithConfiguration {
    /// What to read.
    struct Layout {
        let members: CallPlaces
        /// The path of the value; `nil` to read none.
        let value: [String]?
    }

    /// The members, in the order of their places.
    let members: [CallMember?]
    /// The value, `nil` if it is missing or `null`; or why it does not decode.
    let value: Result<Value?, any Error>

    init(from decoder: any Decoder, configuration layout: Layout) throws {
        // A payload that is another value than an object has no members.
        let object = try? decoder.container(keyedBy: MemberName.self)
        self.members = layout.members.list.map { wanted in
            guard let object else { return nil }
            return try? Self.read(wanted.path, of: object) { try CallMember(wanted.form, $0, $1) }
        }
        guard let path = layout.value else {
            self.value = .success(nil)
            return
        }
        self.value = Result {
            guard let object, !path.isEmpty else {
                let container = try decoder.singleValueContainer()
                return container.decodeNil() ? nil : try container.decode(Value.self)
            }
            return try Self.read(path, of: object) { try $0.decodeIfPresent(Value.self, forKey: $1) }
        }
    }

    /// Calls `read` with the object that contains the last member of a path; `nil` if there is no such object.
    private static func read<Read>(
        _ path: [String], of object: KeyedDecodingContainer<MemberName>,
        _ read: (KeyedDecodingContainer<MemberName>, MemberName) throws -> Read?
    ) rethrows -> Read? {
        guard let last = path.last else { return nil }
        var object = object
        for name in path.dropLast() {
            let name = MemberName(stringValue: name)
            // A member that is another value than an object has no members.
            guard object.contains(name), let inner = try? object.nestedContainer(keyedBy: MemberName.self, forKey: name)
            else { return nil }
            object = inner
        }
        return try read(object, MemberName(stringValue: last))
    }

    /// Reads a payload.
    ///
    /// - Throws: If it is not JSON.
    init(of message: MQTTMessage, _ layout: Layout) throws {
        self = try message.withPayload { bytes in
            try callDecoder.decode(Self.self, from: Data(borrowing: bytes), configuration: layout)
        }
    }
}

/// Never changed, so that threads can share it.
private let callDecoder = JSONDecoder()

/// The members to read of a JSON payload.
struct CallPlaces: Sendable {
    fileprivate let list: [(place: MQTTDialect.Place, path: [String], form: CallMember.Form)]

    /// - Parameter wanted: What to read. Places outside the payload are ignored.
    init(_ wanted: [(MQTTDialect.Place?, CallMember.Form)]) {
        self.list = wanted.compactMap { place, form in
            guard let place, let path = place.jsonPath else { return nil }
            return (place, path, form)
        }
    }

    /// Nothing.
    static let none = Self([])

    var isEmpty: Bool { self.list.isEmpty }

    func firstIndex(of place: MQTTDialect.Place) -> Int? { self.list.firstIndex { $0.place == place } }
}

/// A member of the JSON payload of a call.
enum CallMember {
    /// What a member is expected to be.
    enum Form: Sendable {
        case text
        case id
        /// Only whether it is there.
        case presence
        case json
    }

    case text(String)
    case id(CallID)
    case present
    case json(JSONValue)

    fileprivate init?(_ form: Form, _ object: KeyedDecodingContainer<MemberName>, _ name: MemberName) throws {
        guard object.contains(name), try !object.decodeNil(forKey: name) else { return nil }
        switch form {
        case .text: self = .text(try object.decode(String.self, forKey: name))
        case .id: self = .id(try object.decode(CallID.self, forKey: name))
        case .presence: self = .present
        case .json: self = .json(try object.decode(JSONValue.self, forKey: name))
        }
    }
}

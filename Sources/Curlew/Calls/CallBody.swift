import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The name of a member of a JSON object.
struct MemberName: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

/// A JSON object that is made of values at paths.
struct CallBody: Encodable, Sendable {
    private indirect enum Node: Sendable {
        case value(any Encodable & Sendable)
        case object([String: Node])
    }

    private var members: [String: Node] = [:]

    var isEmpty: Bool { self.members.isEmpty }

    /// Puts a value at a path, which has at least one name.
    mutating func put(_ value: any Encodable & Sendable, at path: [String]) {
        Self.put(.value(value), at: path[...], in: &self.members)
    }

    private static func put(_ node: Node, at path: ArraySlice<String>, in members: inout [String: Node]) {
        guard let first = path.first else { return }
        guard path.count > 1 else { return members[first] = node }
        var inner: [String: Node] = [:]
        if case .object(let existing) = members[first] { inner = existing }
        Self.put(node, at: path.dropFirst(), in: &inner)
        members[first] = .object(inner)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: MemberName.self)
        try Self.encode(self.members, into: &container)
    }

    private static func encode(
        _ members: [String: Node], into container: inout KeyedEncodingContainer<MemberName>
    ) throws {
        for (name, node) in members {
            let key = MemberName(stringValue: name)
            switch node {
            case .value(let value): try container.encode(value, forKey: key)
            case .object(let inner):
                var nested = container.nestedContainer(keyedBy: MemberName.self, forKey: key)
                try Self.encode(inner, into: &nested)
            }
        }
    }

    /// The object as JSON, with its members in the order of their names.
    func json() throws -> ByteBuffer { try Self.json(self) }

    static func json(_ value: some Encodable) throws -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return ByteBuffer(bytes: try encoder.encode(value))
    }
}

/// Reads one value of a JSON object, at a path.
struct CallProbe<Value: Decodable>: Decodable {
    /// `nil` if there is no such member, or it is `null`.
    let value: Value?

    init(from decoder: any Decoder) throws {
        var path = (CodingUserInfoKey.callPath.flatMap { decoder.userInfo[$0] as? [String] } ?? [])[...]
        guard let last = path.popLast() else {
            let container = try decoder.singleValueContainer()
            self.value = container.decodeNil() ? nil : try container.decode(Value.self)
            return
        }
        var container = try decoder.container(keyedBy: MemberName.self)
        for name in path {
            let key = MemberName(stringValue: name)
            // A member that is no object has no members.
            guard let nested = try? container.nestedContainer(keyedBy: MemberName.self, forKey: key) else {
                self.value = nil
                return
            }
            container = nested
        }
        self.value = try container.decodeIfPresent(Value.self, forKey: MemberName(stringValue: last))
    }

    /// Reads the value at a path.
    ///
    /// - Returns: `nil` if there is no such member, or it is `null`.
    static func read(_ path: [String], of payload: ByteBuffer) throws -> Value? {
        let decoder = JSONDecoder()
        if let key = CodingUserInfoKey.callPath { decoder.userInfo[key] = path }
        return try decoder.decode(Self.self, from: Data(payload.readableBytesView)).value
    }
}

extension CodingUserInfoKey {
    fileprivate static let callPath = Self(rawValue: "curlew.call.path")
}

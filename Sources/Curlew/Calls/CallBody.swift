import NIOCore

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
        case object(CallBody)
    }

    private var members: [(name: String, node: Node)] = []

    var isEmpty: Bool { self.members.isEmpty }

    /// Puts a value at a path, which has at least one name. Replaces an earlier value.
    mutating func put(_ value: any Encodable & Sendable, at path: [String]) { self.put(value, at: path[...]) }

    private mutating func put(_ value: any Encodable & Sendable, at path: ArraySlice<String>) {
        guard let name = path.first else { return }
        let index = self.members.firstIndex { $0.name == name }
        var node = Node.value(value)
        if path.count > 1 {
            var inner = CallBody()
            if let index, case .object(let existing) = self.members[index].node { inner = existing }
            inner.put(value, at: path.dropFirst())
            node = .object(inner)
        }
        if let index { self.members[index].node = node } else { self.members.append((name, node)) }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: MemberName.self)
        for (name, node) in self.members {
            let name = MemberName(stringValue: name)
            switch node {
            case .value(let value): try container.encode(value, forKey: name)
            case .object(let inner): try container.encode(inner, forKey: name)
            }
        }
    }

    /// The object as JSON, with its members in the order of their names.
    func json() throws -> ByteBuffer { try MQTTJSONCoder.sorted(self) }
}

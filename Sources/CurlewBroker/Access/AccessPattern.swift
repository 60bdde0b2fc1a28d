import CurlewCore

/// A rule for every client, in whose filter `%c` stands for its client identifier and `%u` for its user name.
struct AccessPattern: Sendable {
    /// The filter with its placeholders.
    let filter: TopicFilter
    let rights: AccessRights
    let usesIdentifier: Bool
    let usesUsername: Bool

    init(_ filter: TopicFilter, _ rights: AccessRights) {
        self.filter = filter
        self.rights = rights
        self.usesIdentifier = Self.contains(Placeholder.identifier, in: filter)
        self.usesUsername = Self.contains(Placeholder.username, in: filter)
    }

    var hasPlaceholder: Bool { self.usesIdentifier || self.usesUsername }

    private enum Placeholder {
        static let sign = UInt8(ascii: "%")
        static let identifier = UInt8(ascii: "c")
        static let username = UInt8(ascii: "u")
    }

    private static func contains(_ placeholder: UInt8, in filter: TopicFilter) -> Bool {
        zip(filter.string.utf8, filter.string.utf8.dropFirst()).contains { $0 == Placeholder.sign && $1 == placeholder }
    }

    /// A client as patterns see it.
    struct Subject {
        let identifier: String
        let username: String?
        /// Whether the identifier can stand in a pattern without meaning more than itself.
        let hasSafeIdentifier: Bool
        let hasSafeUsername: Bool

        init(_ client: MQTTBrokerClient) {
            self.identifier = client.identifier
            self.username = client.username
            self.hasSafeIdentifier = Self.isSafe(client.identifier)
            self.hasSafeUsername = client.username.map(Self.isSafe) ?? false
        }

        /// A name must not span levels or act as a wildcard, because clients choose their identifiers themselves.
        private static func isSafe(_ name: String) -> Bool {
            !name.isEmpty
                && !name.utf8.contains { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") || $0 == UInt8(ascii: "/") }
        }
    }

    /// Whether the pattern applies to this client.
    func concerns(_ subject: Subject) -> Bool {
        (!self.usesIdentifier || subject.hasSafeIdentifier) && (!self.usesUsername || subject.hasSafeUsername)
    }

    /// Whether the pattern would deny this client something that cannot be expressed, because its name is not safe.
    func deniesUnspeakably(_ subject: Subject) -> Bool {
        guard self.rights.contains(.deny) else { return false }
        // For a client without a user name there is nothing to deny.
        return self.usesIdentifier && !subject.hasSafeIdentifier
            || self.usesUsername && subject.username != nil && !subject.hasSafeUsername
    }

    /// The filter for a client that the pattern ``concerns(_:)``; `nil` if it would be too long.
    func filter(for subject: Subject) -> TopicFilter? {
        var (text, rest) = ("", self.filter.string.utf8[...])
        while let sign = rest.firstIndex(of: Placeholder.sign) {
            text += Substring(rest[..<sign])
            rest = rest[rest.index(after: sign)...]
            switch rest.first {
            case Placeholder.identifier:
                text += subject.identifier
                rest.removeFirst()
            case Placeholder.username:
                text += subject.username ?? ""
                rest.removeFirst()
            default:
                text += "%"
            }
        }
        text += Substring(rest)
        // A name that begins with '$' must not match the topics that begin with '$'.
        let dollar = UInt8(ascii: "$")
        guard text.utf8.first != dollar || self.filter.string.utf8.first == dollar else { return nil }
        return try? TopicFilter(text)
    }

    /// Whether the topic matches the filter for a client that the pattern ``concerns(_:)``. Allocates nothing.
    func matches(_ topic: TopicName, for subject: Subject) -> Bool {
        let dollar = UInt8(ascii: "$")
        var (pattern, rest) = (self.filter.string.utf8[...], topic.string.utf8[...])
        if rest.first == dollar, pattern.first != dollar { return false }
        while let next = pattern.popFirst() {
            switch next {
            case UInt8(ascii: "#"):
                return true
            case UInt8(ascii: "+"):
                rest = rest.drop { $0 != UInt8(ascii: "/") }
            case Placeholder.sign where pattern.first == Placeholder.identifier:
                pattern.removeFirst()
                guard rest.dropPrefix(subject.identifier) else { return false }
            case Placeholder.sign where pattern.first == Placeholder.username:
                pattern.removeFirst()
                guard rest.dropPrefix(subject.username ?? "") else { return false }
            default:
                // "a/#" matches "a", too.
                if rest.isEmpty { return next == UInt8(ascii: "/") && pattern.first == UInt8(ascii: "#") }
                guard rest.removeFirst() == next else { return false }
            }
        }
        return rest.isEmpty
    }
}

extension Substring.UTF8View {
    /// Removes a prefix; returns `false` if there is another one.
    fileprivate mutating func dropPrefix(_ text: String) -> Bool {
        guard self.starts(with: text.utf8) else { return false }
        self = self.dropFirst(text.utf8.count)
        return true
    }
}

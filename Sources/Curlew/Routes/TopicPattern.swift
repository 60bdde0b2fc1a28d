public import CurlewCore

/// A topic filter whose wildcards have names, such as `home/{room}/temperature`.
///
/// `{name}` stands for one level, and `{name...}` at the end for all that follow, or none. A level is either a capture
/// or plain text; `+` and `#` work as in topic filters, and `$share/{group}/` before a pattern shares its messages.
public struct TopicPattern: Sendable, Hashable, CustomStringConvertible {
    private enum Level: Hashable {
        case text(String)
        /// `+`, or a capture.
        case one(String?)
        /// `#`, or a capture of the rest.
        case rest(String?)
    }

    /// The pattern as it was written.
    public let description: String
    /// The topic filter to subscribe to, with `+` and `#` in place of the captures.
    public let filter: TopicFilter
    private let levels: [Level]

    /// Parses a pattern.
    ///
    /// - Throws: ``MQTTError`` with code `invalidTopic`; the message says which part is wrong.
    public init(_ pattern: String) throws(MQTTError) {
        let filter: String
        (filter, self.levels) = try Self.parse(pattern)
        do { self.filter = try TopicFilter(filter) } catch {
            throw MQTTError(.invalidTopic, "The pattern \"\(pattern)\" is not valid: \(error.message)", cause: error)
        }
        self.description = pattern
    }

    /// The names of the captures, in their order.
    public var names: [String] {
        self.levels.compactMap { level in
            switch level {
            case .text: nil
            case .one(let name), .rest(let name): name
            }
        }
    }

    private static func parse(_ pattern: String) throws(MQTTError) -> (filter: String, levels: [Level]) {
        var texts = pattern.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        var share: [String] = []
        if texts.first == "$share", texts.count > 2 {
            share = Array(texts[..<2])
            texts.removeFirst(2)
        }
        var levels: [Level] = []
        var names: Set<String> = []
        for (index, text) in texts.enumerated() {
            let level = try Self.level(text, isLast: index == texts.count - 1, of: pattern)
            if case .one(let name?) = level, !names.insert(name).inserted { throw Self.twice(name, pattern) }
            if case .rest(let name?) = level, !names.insert(name).inserted { throw Self.twice(name, pattern) }
            levels.append(level)
        }
        let filter = levels.map { level in
            switch level {
            case .text(let text): text
            case .one: "+"
            case .rest: "#"
            }
        }
        return ((share + filter).joined(separator: "/"), levels)
    }

    private static func level(_ text: String, isLast: Bool, of pattern: String) throws(MQTTError) -> Level {
        switch text {
        case "+": return .one(nil)
        case "#": return .rest(nil)
        default: break
        }
        guard text.utf8.contains(where: { $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "}") }) else {
            return .text(text)
        }
        guard text.hasPrefix("{"), text.hasSuffix("}") else {
            throw MQTTError(
                .invalidTopic,
                "The level \"\(text)\" of the pattern \"\(pattern)\" is not valid: a capture such as {name} is a whole level."
            )
        }
        var name = String(text.dropFirst().dropLast())
        let isRest = name.hasSuffix("...") || name.hasSuffix("…")
        if isRest { name.removeLast(name.hasSuffix("…") ? 1 : 3) }
        guard !name.isEmpty, name.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" }) else {
            throw MQTTError(
                .invalidTopic,
                "The capture \(text) of the pattern \"\(pattern)\" needs a name of letters, digits, _ and -.")
        }
        guard !isRest || isLast else {
            throw MQTTError(
                .invalidTopic, "The capture \(text) of the pattern \"\(pattern)\" must be its last level.")
        }
        return isRest ? .rest(name) : .one(name)
    }

    private static func twice(_ name: String, _ pattern: String) -> MQTTError {
        MQTTError(.invalidTopic, "The pattern \"\(pattern)\" has two captures with the name \(name).")
    }

    /// The values of the captures in a topic; `nil` if the topic does not match.
    public func captures(in topic: TopicName) -> TopicCaptures? {
        guard self.filter.matches(topic) else { return nil }
        return TopicCaptures(self.values(in: topic))
    }

    /// The values of the captures, for a topic that matches.
    func values(in topic: TopicName) -> [(name: String, value: String)] {
        guard self.levels.contains(where: { if case .text = $0 { false } else { true } }) else { return [] }
        let texts = topic.string.split(separator: "/", omittingEmptySubsequences: false)
        var values: [(name: String, value: String)] = []
        for (index, level) in self.levels.enumerated() {
            switch level {
            case .text, .one(nil), .rest(nil): break
            case .one(let name?): values.append((name, index < texts.count ? String(texts[index]) : ""))
            case .rest(let name?): values.append((name, texts.dropFirst(index).joined(separator: "/")))
            }
        }
        return values
    }

    /// Returns the topic with these values in place of the captures.
    ///
    /// - Parameter values: A value for each name. The value of `{name...}` may contain `/`.
    /// - Throws: ``MQTTError`` with code `invalidTopic` if a value is missing or not a valid level, or if the pattern
    ///   contains `+` or `#`.
    public func topic(_ values: [String: String]) throws(MQTTError) -> String {
        var texts: [String] = []
        for level in self.levels {
            switch level {
            case .text(let text): texts.append(text)
            case .one(nil), .rest(nil):
                throw MQTTError(
                    .invalidTopic, "The pattern \"\(self)\" names no single topic: use captures in place of + and #.")
            case .one(let name?), .rest(let name?):
                guard let value = values[name] else {
                    throw MQTTError(.invalidTopic, "The capture {\(name)} of the pattern \"\(self)\" has no value.")
                }
                if case .one = level, value.utf8.contains(UInt8(ascii: "/")) {
                    throw MQTTError(
                        .invalidTopic,
                        "The value \"\(value)\" of {\(name)} contains /: only {\(name)...} can stand for several levels."
                    )
                }
                if case .rest = level, value.isEmpty { break }
                texts.append(value)
            }
        }
        let topic = texts.joined(separator: "/")
        do { return try TopicName(topic).string } catch {
            throw MQTTError(.invalidTopic, error.message, cause: error)
        }
    }
}

/// The parts of a topic that a pattern captures.
public struct TopicCaptures: Sendable {
    private let values: [(name: String, value: String)]

    init(_ values: [(name: String, value: String)]) { self.values = values }

    /// The captured text; `nil` if the pattern has no capture with this name.
    public subscript(_ name: String) -> String? { self.values.first { $0.name == name }?.value }

    /// The captured text as a value, such as a number.
    ///
    /// - Parameters:
    ///   - name: The name of the capture.
    ///   - type: The type of the value.
    /// - Throws: ``MQTTError`` with code `decodingFailed` if the text is not such a value, or `invalidArgument` if the
    ///   pattern has no capture with this name.
    public func value<Value: LosslessStringConvertible>(
        _ name: String, as type: Value.Type = Value.self
    ) throws(MQTTError) -> Value {
        guard let text = self[name] else {
            throw MQTTError(.invalidArgument, "The route captures nothing with the name \(name).")
        }
        guard let value = Value(text) else {
            throw MQTTError(.decodingFailed, "The level \"\(text)\" of the topic is not a value of type \(type).")
        }
        return value
    }
}

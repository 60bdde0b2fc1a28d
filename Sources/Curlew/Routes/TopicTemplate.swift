public import CurlewCore

/// A topic with up to three typed parts: the compiler checks what a route captures, and what a topic is made from.
///
/// ```swift
/// let temperature = MQTT.topic("home").part(String.self).level("temperature")
///
/// try await client.route {
///     On(temperature) { message, room in print(room, message.text) }   // room is a String
/// }
/// try await client.publish("21.5", to: temperature("kitchen"))
/// ```
///
/// `Parts` is `Void`, a type, or a tuple of types.
public struct TopicTemplate<Parts>: Sendable {
    /// A fixed level, or `nil` for one that holds a part.
    private let levels: [String?]

    private init(_ levels: [String?]) { self.levels = levels }

    /// The topic filter that matches all topics of the template.
    public var filter: String { self.levels.map { $0 ?? "+" }.joined(separator: "/") }

    /// Appends a fixed level, or several separated by `/`.
    public func level(_ text: String) -> Self { Self(self.levels + split(text)) }

    fileprivate func with<NewParts>(_ level: String?, _ type: NewParts.Type = NewParts.self) -> TopicTemplate<NewParts>
    {
        TopicTemplate<NewParts>(self.levels + [level])
    }

    /// The topic with these parts.
    fileprivate func topic(_ parts: any TopicPart...) throws(MQTTError) -> String {
        var texts = parts.map(\.description)[...]
        for text in texts where text.utf8.contains(UInt8(ascii: "/")) {
            throw MQTTError(.invalidTopic, "The value \"\(text)\" contains /, so it is not one level of a topic.")
        }
        let topic = self.levels.map { $0 ?? texts.popFirst() ?? "" }.joined(separator: "/")
        do { return try TopicName(topic).string } catch {
            throw MQTTError(.invalidTopic, error.message, cause: error)
        }
    }

    /// The texts of the parts in a topic.
    fileprivate func texts(in topic: TopicName) throws(MQTTError) -> PartTexts {
        let texts = topic.string.split(separator: "/", omittingEmptySubsequences: false)
        guard texts.count == self.levels.count, zip(texts, self.levels).allSatisfy({ $1 == nil || $1 == String($0) })
        else {
            throw MQTTError(.decodingFailed, "The topic \"\(topic)\" does not have the form \(self.filter).")
        }
        return PartTexts(topic: topic, texts: zip(texts, self.levels).filter { $1 == nil }.map { String($0.0) }[...])
    }

    /// Begins a template.
    fileprivate static func beginning(with text: String) -> Self { Self(split(text)) }
}

/// A part of a topic: text, a number, or another type with a textual form.
public typealias TopicPart = LosslessStringConvertible & Sendable

extension MQTT {
    /// Begins a topic with typed parts; see ``TopicTemplate``.
    ///
    /// - Parameter text: The first level, or several separated by `/`.
    public static func topic(_ text: String) -> TopicTemplate<Void> { .beginning(with: text) }
}

private func split(_ text: String) -> [String?] {
    text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
}

/// The texts of the parts of a topic, taken one after the other.
private struct PartTexts {
    let topic: TopicName
    var texts: ArraySlice<String>

    mutating func next<Part: TopicPart>(_ type: Part.Type) throws(MQTTError) -> Part {
        let text = self.texts.popFirst() ?? ""
        guard let part = Part(text) else {
            throw MQTTError(
                .decodingFailed,
                "The level \"\(text)\" of the topic \"\(self.topic)\" is not a value of type \(type).")
        }
        return part
    }
}

// MARK: - No part yet

extension TopicTemplate where Parts == Void {
    /// Appends a level that holds a value of this type.
    public func part<Part: TopicPart>(_ type: Part.Type) -> TopicTemplate<Part> { self.with(nil) }
}

// MARK: - One part

extension TopicTemplate where Parts: TopicPart {
    /// Appends a level that holds a value of this type.
    public func part<Part: TopicPart>(_ type: Part.Type) -> TopicTemplate<(Parts, Part)> { self.with(nil) }

    /// Returns the topic with this part.
    ///
    /// - Throws: ``MQTTError`` with code `invalidTopic` if the part is not a valid level.
    public func callAsFunction(_ part: Parts) throws(MQTTError) -> String { try self.topic(part) }

    /// Returns the part of a topic.
    ///
    /// - Throws: ``MQTTError`` with code `decodingFailed` if the topic does not have this form.
    public func parts(of topic: TopicName) throws(MQTTError) -> Parts {
        var texts = try self.texts(in: topic)
        return try texts.next(Parts.self)
    }
}

// MARK: - Two and three parts

extension TopicTemplate {
    /// Appends a level that holds a value of this type.
    public func part<First: TopicPart, Second: TopicPart, Part: TopicPart>(
        _ type: Part.Type
    ) -> TopicTemplate<(First, Second, Part)> where Parts == (First, Second) { self.with(nil) }

    /// Returns the topic with these parts.
    ///
    /// - Throws: ``MQTTError`` with code `invalidTopic` if a part is not a valid level.
    public func callAsFunction<First: TopicPart, Second: TopicPart>(
        _ first: First, _ second: Second
    ) throws(MQTTError) -> String where Parts == (First, Second) { try self.topic(first, second) }

    /// Returns the parts of a topic.
    ///
    /// - Throws: ``MQTTError`` with code `decodingFailed` if the topic does not have this form.
    public func parts<First: TopicPart, Second: TopicPart>(
        of topic: TopicName
    ) throws(MQTTError) -> Parts where Parts == (First, Second) {
        var texts = try self.texts(in: topic)
        return (try texts.next(First.self), try texts.next(Second.self))
    }

    /// Returns the topic with these parts.
    ///
    /// - Throws: ``MQTTError`` with code `invalidTopic` if a part is not a valid level.
    public func callAsFunction<First: TopicPart, Second: TopicPart, Third: TopicPart>(
        _ first: First, _ second: Second, _ third: Third
    ) throws(MQTTError) -> String where Parts == (First, Second, Third) { try self.topic(first, second, third) }

    /// Returns the parts of a topic.
    ///
    /// - Throws: ``MQTTError`` with code `decodingFailed` if the topic does not have this form.
    public func parts<First: TopicPart, Second: TopicPart, Third: TopicPart>(
        of topic: TopicName
    ) throws(MQTTError) -> Parts where Parts == (First, Second, Third) {
        var texts = try self.texts(in: topic)
        return (try texts.next(First.self), try texts.next(Second.self), try texts.next(Third.self))
    }
}

/// Why a text is not a topic name or a topic filter (MQTT 5.0 section 4.7), as one sentence that says what to
/// change.
public struct TopicError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What the text was meant to be.
    package enum Subject: String, Hashable, Sendable {
        case name = "topic name"
        case filter = "topic filter"
    }

    /// Which rule of the standard the text breaks.
    package enum Problem: Hashable, Sendable {
        /// [MQTT-4.7.3-1]
        case empty
        /// [MQTT-4.7.3-3]
        case tooLong
        /// [MQTT-4.7.3-2]
        case containsNull
        /// [MQTT-4.7.0-1]
        case wildcardInName
        /// [MQTT-4.7.1-1]
        case multiLevelWildcardNotLast
        /// [MQTT-4.7.1-1]
        case multiLevelWildcardNotAlone
        /// [MQTT-4.7.1-2]
        case singleLevelWildcardNotAlone
        /// [MQTT-4.8.2-1]
        case shareNameEmpty
        /// [MQTT-4.8.2-2]
        case shareNameHasWildcard
        /// [MQTT-4.8.2-2]
        case shareWithoutFilter
    }

    package let subject: Subject
    package let problem: Problem

    /// The invalid text.
    public let topic: String

    /// What is wrong with the text and what is allowed instead. Long texts are abbreviated.
    public var message: String {
        switch self.problem {
        case .empty:
            "A \(self.subject.rawValue) is empty; it must have at least one character."
        case .tooLong:
            "\(self.quoted) is \(self.topic.utf8.count) bytes long in UTF-8; at most \(Self.maximumLength) are allowed."
        case .containsNull:
            "\(self.quoted) contains the null character (U+0000), which MQTT does not allow."
        case .wildcardInName:
            "\(self.quoted) contains a wildcard; '+' and '#' may stand only in a topic filter."
        case .multiLevelWildcardNotLast:
            "\(self.quoted) has '#' before its end; '#' may stand only as the last level."
        case .multiLevelWildcardNotAlone:
            "\(self.quoted) has '#' beside other characters; '#' must be a whole level, as in \"a/#\"."
        case .singleLevelWildcardNotAlone:
            "\(self.quoted) has '+' beside other characters; '+' must be a whole level, as in \"a/+/b\"."
        case .shareNameEmpty:
            "\(self.quoted) has no share name; a shared subscription is written \"$share/name/filter\"."
        case .shareNameHasWildcard:
            "\(self.quoted) has a wildcard in its share name; the name may not contain '+' or '#'."
        case .shareWithoutFilter:
            "\(self.quoted) has no topic filter after its share name; it is written \"$share/name/filter\"."
        }
    }

    /// The same as ``message``.
    public var description: String { self.message }

    /// The greatest length in bytes that a two-byte length can express.
    static let maximumLength = 65_535

    private var quoted: String {
        let start = self.topic.prefix(100)
        let ellipsis = start.endIndex == self.topic.endIndex ? "" : "…"
        return "The \(self.subject.rawValue) \(String(start).debugDescription)\(ellipsis)"
    }
}

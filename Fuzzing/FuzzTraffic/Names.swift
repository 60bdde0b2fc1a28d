import CurlewCore

/// The few topics and topic filters that all traffic uses, so that they often match. Both are referred to by index.
enum Names {
    private static let topicTexts = ["a/x", "a/y", "b/x", "b", "w/0", "w/1", "w/2", "w/3"]
    /// No topic matches two shared filters: before 5.0, a client could not tell by which of them a message came.
    private static let filterTexts = ["a/x", "a/+", "+/x", "#", "b/#", "w/+", "$share/g/a/+", "$share/h/b/#"]

    static let topics = topicTexts.compactMap { try? TopicName($0) }
    static let filters = filterTexts.compactMap { try? TopicFilter($0) }

    /// The number of topics that clients publish to; the others are for their wills.
    static let publishedTopics = 4
    static func willTopic(of client: Int) -> Int { self.publishedTopics + client }

    static func isShared(_ filter: Int) -> Bool { self.filterTexts[filter].hasPrefix("$share/") }

    static func topic(_ name: TopicName?) -> Int? { self.topics.firstIndex { $0 == name } }
    static func filter(_ filter: TopicFilter) -> Int? { self.filters.firstIndex(of: filter) }

    static func clientIdentifier(_ client: Int) -> String { "client-\(client)" }
    static func client(_ identifier: String) -> Int? { identifier.last?.wholeNumberValue }

    /// Whether a topic matches a filter, determined without the broker's own code.
    static func matches(_ filter: Int, _ topic: Int) -> Bool { self.matching[filter][topic] }

    private static let matching = filterTexts.map { filter in
        let levels = filter.split(separator: "/")[...]
        return topicTexts.map { topic in
            Self.matches(filter.hasPrefix("$share/") ? levels.dropFirst(2) : levels, topic.split(separator: "/")[...])
        }
    }

    private static func matches(_ filter: ArraySlice<Substring>, _ topic: ArraySlice<Substring>) -> Bool {
        guard let level = filter.first else { return topic.isEmpty }
        if level == "#" { return true }
        guard let name = topic.first, level == "+" || level == name else { return false }
        return self.matches(filter.dropFirst(), topic.dropFirst())
    }
}

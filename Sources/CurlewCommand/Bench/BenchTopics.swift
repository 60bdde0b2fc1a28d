#if Tools
import CurlewCore

/// The topics of a benchmark: one, or many that differ in the number at `%d`.
enum BenchTopics {
    static let standard = "curlew/bench/%d"

    /// The topic names. `%d` is replaced by 0, 1 and so on.
    static func names(_ texts: [String], count: Int?) throws -> [String] {
        let text = try Self.only(texts) ?? Self.standard
        guard let place = text.firstRange(of: "%d") else {
            guard count == nil else {
                throw CommandFailure(
                    "--topics needs a topic with %d, which is replaced by the topic's number; add it to -t.")
            }
            return [try Topics.one([text]).string]
        }
        return try (0..<(count ?? 64)).map { number in
            try Topics.one([text.replacingCharacters(in: place, with: "\(number)")]).string
        }
    }

    /// The filter that matches all topics: a level with `%d` becomes `+`.
    static func filter(_ texts: [String]) throws -> TopicFilter {
        let text = try Self.only(texts) ?? Self.standard
        let levels = text.split(separator: "/", omittingEmptySubsequences: false).map {
            $0.contains("%d") ? "+" : $0
        }
        guard let filter = try Topics.filters([levels.joined(separator: "/")]).first else {
            throw CommandFailure("The topic is missing; give it with -t.")
        }
        return filter
    }

    private static func only(_ texts: [String]) throws -> String? {
        guard texts.count < 2 else {
            throw CommandFailure("A benchmark takes one -t; for several topics, write %d in it and give --topics.")
        }
        return texts.first
    }
}

extension String {
    fileprivate func replacingCharacters(in range: Range<Index>, with text: String) -> String {
        var result = self
        result.replaceSubrange(range, with: text)
        return result
    }
}
#endif

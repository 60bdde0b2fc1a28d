#if Tools
import CurlewCore

/// The topics of a benchmark: one, or many that differ where the text has `%d`.
enum BenchTopics {
    static let standard = "curlew/bench/%d"

    /// The topic names, as many as there are to be if there is a `%d`, which stands for 0 and so on.
    static func names(_ texts: [String], count: Int?) throws -> [String] {
        let text = try Self.only(texts) ?? Self.standard
        guard let place = text.firstRange(of: "%d") else {
            guard count == nil else {
                throw CommandFailure("--topics needs to know where the topics differ; write %d there in -t.")
            }
            return [try Topics.one([text]).string]
        }
        return try (0..<(count ?? 64)).map { number in
            try Topics.one([text.replacingCharacters(in: place, with: "\(number)")]).string
        }
    }

    /// The filter that matches them all: a level with `%d` is any.
    static func filter(_ texts: [String]) throws -> TopicFilter {
        let text = try Self.only(texts) ?? Self.standard
        let levels = text.split(separator: "/", omittingEmptySubsequences: false).map {
            $0.contains("%d") ? "+" : $0
        }
        guard let filter = try Topics.filters([levels.joined(separator: "/")]).first else {
            throw CommandFailure("There is no topic to listen to; give one with -t.")
        }
        return filter
    }

    private static func only(_ texts: [String]) throws -> String? {
        guard texts.count < 2 else {
            throw CommandFailure("A benchmark takes one topic; write %d in it for many, and --topics for how many.")
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

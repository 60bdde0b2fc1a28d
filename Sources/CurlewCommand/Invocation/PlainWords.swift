#if Tools
import ArgumentParser
import CurlewCore

/// What arguments without an option stand for: `curlew sub 'home/#'`, `curlew pub home/lamp on`.
struct PlainWords {
    private let sendsMessage: Bool
    private var hasTopic: Bool
    private var hasMessage: Bool

    /// - Parameters:
    ///   - subcommand: For whom the words are; only some send one message to one topic.
    ///   - options: What else is on the command line.
    init(for subcommand: Subcommand, beside options: [GivenOption]) {
        self.hasTopic = options.contains { $0.names.contains("topic") || $0.url?.hasTopic == true }
        self.hasMessage = options.contains { $0.subjects.contains(.message) }
        // A responder has one answer, and may have several topics.
        self.sendsMessage =
            subcommand == .pub || subcommand == .request || subcommand == .respond && !self.hasMessage
    }

    /// The option that a word stands for. Of a command that sends a message the first word is the topic, unless an option or
    /// a URL names it; the next one is the message, unless an option gives it.
    mutating func option(_ word: String) throws -> GivenOption {
        guard self.sendsMessage else { return Self.topic(word) }
        if !self.hasTopic {
            self.hasTopic = true
            return Self.topic(word)
        }
        guard !self.hasMessage else {
            throw ValidationError(
                "'\(word)' is one argument too many: topic and message are given already; quote a message that has spaces"
            )
        }
        self.hasMessage = true
        guard word != "-" else {
            return GivenOption(words: ["--stdin-file"], subjects: [.message], names: ["stdin-file"])
        }
        return GivenOption(words: ["--message", word], subjects: [.message], names: ["message"], role: "message")
    }

    private static func topic(_ word: String) -> GivenOption {
        GivenOption(words: ["--topic", word], subjects: [.itself("topic")], names: ["topic"], role: "topic")
    }
}

extension String {
    /// Whether an argument is a URL, and no topic.
    var isURL: Bool {
        guard let end = self.firstRange(of: "://")?.lowerBound, end > self.startIndex else { return false }
        return self[..<end].utf8.allSatisfy {
            (0x61...0x7A).contains($0 | 0x20) || (0x30...0x39).contains($0) || "+-.".utf8.contains($0)
        }
    }

    /// Whether a topic follows the server of a URL.
    var hasTopic: Bool {
        guard let start = self.firstRange(of: "://")?.upperBound else { return false }
        let rest = self[start...].prefix { $0 != "?" }
        guard let slash = rest.firstIndex(of: "/") else { return false }
        return rest.index(after: slash) < rest.endIndex
    }
}
#endif

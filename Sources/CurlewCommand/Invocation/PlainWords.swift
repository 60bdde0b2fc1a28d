#if Tools
import ArgumentParser
import CurlewCore

/// The meaning of arguments without an option: `curlew sub 'home/#'`, `curlew pub home/lamp on`.
struct PlainWords {
    /// Those of `curlew call` and `curlew serve`.
    private var calls: CallWords?
    private let sendsMessage: Bool
    private var hasTopic: Bool
    private var hasMessage: Bool

    /// - Parameters:
    ///   - subcommand: The subcommand; only some send one message to one topic.
    ///   - options: The other arguments.
    init(for subcommand: Subcommand, beside options: [GivenOption]) {
        self.hasTopic = options.contains { $0.names.contains("topic") || $0.url?.hasTopic == true }
        self.hasMessage = options.contains { $0.subjects.contains(.message) }
        self.calls = subcommand == .call || subcommand == .serve ? CallWords(for: subcommand, beside: options) : nil
        // A responder may have several topics. Its message is the reply.
        self.sendsMessage =
            subcommand == .pub || subcommand == .request || subcommand == .respond && !self.hasMessage
    }

    /// Whether a URL names a broker, as it does except as a parameter of a call.
    func isBroker(_ url: String) -> Bool { self.calls?.takes(url: url) != true }

    /// The option for a word. For a command that sends a message, the first word is the topic, unless an option or a
    /// URL names it, and the next one is the message, unless an option gives it.
    mutating func option(_ word: String) throws -> GivenOption {
        if let option = try self.calls?.option(word) { return option }
        guard self.sendsMessage else { return Self.topic(word) }
        if !self.hasTopic {
            self.hasTopic = true
            return Self.topic(word)
        }
        guard !self.hasMessage else {
            throw ValidationError(
                "Unexpected argument '\(word)': topic and message are already given; quote messages that contain spaces"
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
    /// Whether an argument is a URL and not a topic.
    var isURL: Bool {
        guard let end = self.firstRange(of: "://")?.lowerBound, end > self.startIndex else { return false }
        return self[..<end].utf8.allSatisfy {
            (0x61...0x7A).contains($0 | 0x20) || (0x30...0x39).contains($0) || "+-.".utf8.contains($0)
        }
    }

    /// Whether the URL contains a topic.
    var hasTopic: Bool {
        guard let start = self.firstRange(of: "://")?.upperBound else { return false }
        let rest = self[start...].prefix { $0 != "?" }
        guard let slash = rest.firstIndex(of: "/") else { return false }
        return rest.index(after: slash) < rest.endIndex
    }
}
#endif

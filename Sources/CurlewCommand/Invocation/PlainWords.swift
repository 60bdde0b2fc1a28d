#if Tools
import ArgumentParser
import CurlewCore

/// The meaning of arguments without an option: `curlew sub 'home/#'`, `curlew pub home/lamp on`.
struct PlainWords {
    /// The options that a command's words stand for, in their order; the last one may have several.
    private var calling: [String]
    private let sendsMessage: Bool
    private let takesCalls: Bool
    private var hasTopic: Bool
    private var hasMessage: Bool

    /// - Parameters:
    ///   - subcommand: The subcommand; only some send one message to one topic.
    ///   - options: The other arguments.
    init(for subcommand: Subcommand, beside options: [GivenOption]) {
        self.hasTopic = options.contains { $0.names.contains("topic") || $0.url?.hasTopic == true }
        self.hasMessage = options.contains { $0.subjects.contains(.message) }
        switch subcommand {
        case .call: self.calling = ["device", "method", "params"]
        case .serve: self.calling = ["device", "answer"]
        default: self.calling = []
        }
        let named = Set(options.flatMap(\.names))
        if named.contains("devices") { self.calling.removeAll { $0 == "device" } }
        self.calling.removeAll { $0 != "answer" && named.contains($0) }
        self.takesCalls = subcommand == .call || subcommand == .serve
        // A responder may have several topics. Its message is the reply.
        self.sendsMessage =
            subcommand == .pub || subcommand == .request || subcommand == .respond && !self.hasMessage
    }

    /// The option for a word. For a command that sends a message, the first word is the topic, unless an option or a
    /// URL names it, and the next one is the message, unless an option gives it.
    mutating func option(_ word: String) throws -> GivenOption {
        if self.takesCalls {
            guard let name = self.calling.first else {
                throw ValidationError(
                    "Unexpected argument '\(word)': device, method and parameters are already given; quote parameters that contain spaces"
                )
            }
            if name != "answer" { self.calling.removeFirst() }
            return GivenOption(
                words: ["--\(name)", word], subjects: name == "answer" || name == "device" ? [] : [.itself(name)],
                names: [name], role: name)
        }
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

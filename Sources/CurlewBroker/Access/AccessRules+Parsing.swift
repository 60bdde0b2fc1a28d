import CurlewCore

extension AccessRules {
    /// Reads rules in mosquitto's syntax.
    ///
    /// - Parameters:
    ///   - text: The content of the file.
    ///   - name: The name of the file at the beginning of error messages.
    init(_ text: String, name: String) throws(MQTTBrokerError) {
        let lines = TextLines(text, name: name)
        var user: ExactText?
        for line in lines {
            var rest = line.text
            let word = rest.takeWord()
            switch word {
            case "": continue
            case _ where word.hasPrefix("#"): continue
            case "user":
                guard !rest.isEmpty else {
                    throw lines.error(line, "'user' is not followed by a name; write 'user NAME'.")
                }
                user = ExactText(String(Substring(rest)))
                self.noteUsername(line)
            case "topic":
                let rule = try Self.rule(word, rest, line, lines)
                self.add(rule.filter, rule.rights, for: user)
            case "pattern":
                let rule = try Self.rule(word, rest, line, lines)
                let pattern = AccessPattern(rule.filter, rule.rights)
                if pattern.usesUsername { self.noteUsername(line) }
                self.add(pattern)
            default:
                throw lines.error(
                    line, "'\(word.printable)' is not known; a line begins with 'user', 'topic', 'pattern' or '#'.")
            }
        }
    }

    private mutating func noteUsername(_ line: TextLines.Line) {
        if self.firstOfUsernames == nil { self.firstOfUsernames = (line.number, String(Substring(line.text))) }
    }

    private static let access: [String: AccessRights] = [
        "read": .read, "write": .write, "readwrite": [.read, .write], "deny": .deny,
    ]

    /// The rest of a line after `topic` or `pattern`: an access and a filter that may contain blanks, or only a filter
    /// without blanks.
    private static func rule(
        _ kind: String, _ text: Substring.UTF8View, _ line: TextLines.Line, _ lines: TextLines
    ) throws(MQTTBrokerError) -> (filter: TopicFilter, rights: AccessRights) {
        var rest = text
        let word = rest.takeWord()
        guard !word.isEmpty else {
            throw lines.error(line, "'\(kind)' is not followed by a topic filter; write '\(kind) readwrite FILTER'.")
        }
        guard let rights = Self.access[word] else {
            guard rest.isEmpty else {
                throw lines.error(
                    line,
                    "'\(word.printable)' is not an access; write read, write, readwrite or deny before a filter with spaces."
                )
            }
            return (try Self.filter(text, line, lines), [.read, .write])
        }
        guard !rest.isEmpty else {
            throw lines.error(
                line,
                "'\(word)' is not followed by a topic filter; for the topic of that name write '\(kind) readwrite \(word)'."
            )
        }
        return (try Self.filter(rest, line, lines), rights)
    }

    private static func filter(
        _ text: Substring.UTF8View, _ line: TextLines.Line, _ lines: TextLines
    ) throws(MQTTBrokerError) -> TopicFilter {
        let filter: TopicFilter
        do throws(TopicError) {
            filter = try TopicFilter(String(Substring(text)))
        } catch {
            throw lines.error(line, "\(error.message)")
        }
        guard !filter.isShared else {
            throw lines.error(line, "a rule is about topics; leave out '$share/…/', which plays no part in access.")
        }
        return filter
    }
}

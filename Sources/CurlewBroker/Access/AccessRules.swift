import CurlewCore

/// The content of an access file, prepared for decisions. These are the same as those of mosquitto 2.0: the rules of
/// the user, or of clients without a user name, come first; if none of them matches, the patterns decide; anything that
/// no rule allows is denied.
struct AccessRules: Sendable {
    private var anonymous = AccessRuleSet()
    private var users: [ExactText: AccessRuleSet] = [:]
    /// Patterns without a placeholder, which are the same for all clients.
    private var everybody = AccessRuleSet()
    private var patterns: [AccessPattern] = []
    /// The first line that refers to user names: its number and content.
    var firstOfUsernames: (line: Int, text: String)?

    /// - Parameter user: `nil` for clients without a user name.
    mutating func add(_ filter: TopicFilter, _ rights: AccessRights, for user: ExactText?) {
        if let user {
            self.users[user, default: AccessRuleSet()].add(filter, rights)
        } else {
            self.anonymous.add(filter, rights)
        }
    }

    mutating func add(_ pattern: AccessPattern) {
        if pattern.hasPlaceholder {
            self.patterns.append(pattern)
        } else {
            self.everybody.add(pattern.filter, pattern.rights)
        }
    }

    /// The rules for this client; `nil` if the file has none.
    private func ruleSet(of client: MQTTBrokerClient) -> AccessRuleSet? {
        guard let username = client.username else { return self.anonymous }
        return self.users[ExactText(username)]
    }

    /// Whether a client may publish to a topic, or receive from it.
    func allows(_ client: MQTTBrokerClient, _ wanted: AccessRights, of topic: TopicName) -> Bool {
        switch self.ruleSet(of: client)?.verdict(on: topic, wanted) {
        case .allowed: return true
        case .denied: return false
        case .open, nil: break
        }
        var isAllowed = false
        switch self.everybody.verdict(on: topic, wanted) {
        case .allowed: isAllowed = true
        case .denied: return false
        case .open: break
        }
        guard !self.patterns.isEmpty else { return isAllowed }
        let subject = AccessPattern.Subject(client)
        for pattern in self.patterns {
            if pattern.deniesUnspeakably(subject) { return false }
            let counts = pattern.rights.contains(.deny) || !isAllowed && !pattern.rights.isDisjoint(with: wanted)
            guard counts, pattern.concerns(subject), pattern.matches(topic, for: subject) else { continue }
            if pattern.rights.contains(.deny) { return false }
            isAllowed = true
        }
        return isAllowed
    }

    /// Whether a client may receive anything at all that matches a filter. Some of it may still be denied.
    func allows(_ client: MQTTBrokerClient, subscribing filter: TopicFilter) -> Bool {
        let own = self.ruleSet(of: client) ?? AccessRuleSet()
        if Self.isAnything(of: filter, in: own.readable, notIn: own.denied) { return true }
        let subject = AccessPattern.Subject(client)
        guard !self.patterns.contains(where: { $0.deniesUnspeakably(subject) }) else { return false }
        var (readable, denied) = (self.everybody.readable, own.denied + self.everybody.denied)
        for pattern in self.patterns where pattern.concerns(subject) {
            guard let filter = pattern.filter(for: subject) else { continue }
            if pattern.rights.contains(.deny) { denied.append(filter) }
            if pattern.rights.contains(.read) { readable.append(filter) }
        }
        return Self.isAnything(of: filter, in: readable, notIn: denied)
    }

    /// Whether anything that matches `filter` is readable and not denied. Where only several denials together cover all
    /// of it, the answer is still yes: each message is decided about anyway.
    private static func isAnything(
        of filter: TopicFilter, in readable: [TopicFilter], notIn denied: [TopicFilter]
    ) -> Bool {
        readable.contains { rule in
            guard let common = filter.intersection(rule) else { return false }
            return !denied.contains { $0.covers(common) }
        }
    }
}

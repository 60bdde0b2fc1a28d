import CurlewCore

/// The rules of one user or of all clients: rights by topic filter.
struct AccessRuleSet: Sendable {
    /// The combined result of all rules that match.
    enum Verdict: Equatable {
        case allowed
        case denied
        /// No rule matches.
        case open
    }

    /// The combined rights of all rules with the same filter.
    private var rights = TopicTree<AccessRights>()
    /// The filters that deny, for subscriptions.
    private(set) var denied: [TopicFilter] = []
    /// The filters that allow receiving.
    private(set) var readable: [TopicFilter] = []

    mutating func add(_ filter: TopicFilter, _ rights: AccessRights) {
        self.rights.withValue(for: filter, default: []) { $0.formUnion(rights) }
        if rights.contains(.deny) { self.denied.append(filter) }
        if rights.contains(.read) { self.readable.append(filter) }
    }

    /// Decides about a topic: a rule that denies overrides all that allow, in any order. Allocates nothing.
    func verdict(on topic: TopicName, _ wanted: AccessRights) -> Verdict {
        var found: AccessRights = []
        self.rights.forEachMatch(of: topic) { _, rights in found.formUnion(rights) }
        if found.contains(.deny) { return .denied }
        return found.isDisjoint(with: wanted) ? .open : .allowed
    }
}

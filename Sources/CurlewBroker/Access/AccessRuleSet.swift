import CurlewCore

/// The rules of one user, or of everybody: rights by topic filter.
struct AccessRuleSet: Sendable {
    /// What several rules about the same topics come to.
    enum Verdict: Equatable {
        case allowed
        case denied
        /// No rule is about it.
        case open
    }

    /// The rights of a filter are what all rules with this filter say.
    private var rights = TopicTree<AccessRights>()
    /// The filters that deny, for subscriptions.
    private(set) var denied: [TopicFilter] = []
    /// The filters that let receive.
    private(set) var readable: [TopicFilter] = []

    mutating func add(_ filter: TopicFilter, _ rights: AccessRights) {
        self.rights.withValue(for: filter, default: []) { $0.formUnion(rights) }
        if rights.contains(.deny) { self.denied.append(filter) }
        if rights.contains(.read) { self.readable.append(filter) }
    }

    /// Decides about a topic: one rule that denies wins over all that allow, in whatever order they stand. Allocates nothing.
    func verdict(on topic: TopicName, _ wanted: AccessRights) -> Verdict {
        var found: AccessRights = []
        self.rights.forEachMatch(of: topic) { _, rights in found.formUnion(rights) }
        if found.contains(.deny) { return .denied }
        return found.isDisjoint(with: wanted) ? .open : .allowed
    }
}

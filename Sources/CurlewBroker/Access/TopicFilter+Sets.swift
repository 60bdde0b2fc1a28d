import CurlewCore

/// Topic filters as the sets of topics that they match. Share names are ignored.
///
/// A filter that begins with a wildcard matches no topic that begins with `$` [MQTT-4.7.2-1].
extension TopicFilter {
    /// The filter that matches what both match; `nil` when no topic matches both.
    func intersection(_ other: TopicFilter) -> TopicFilter? {
        let (left, right) = (self.filter, other.filter)
        guard !Self.dollarSeparates(left, right) else { return nil }
        var (rest, otherRest) = (left.utf8[...], right.utf8[...])
        var common = ""
        while true {
            let (level, otherLevel) = (rest.level, otherRest.level)
            if level.isMultiLevelWildcard { return Self.joined(common, otherRest) }
            if otherLevel.isMultiLevelWildcard { return Self.joined(common, rest) }
            if level.isSingleLevelWildcard {
                common += Substring(otherLevel)
            } else if otherLevel.isSingleLevelWildcard || level.elementsEqual(otherLevel) {
                common += Substring(level)
            } else {
                return nil
            }
            switch (rest.dropLevel(), otherRest.dropLevel()) {
            case (false, false): return try? TopicFilter(common)
            // "a/#" matches "a", too.
            case (true, false): return rest.isMultiLevelWildcard ? try? TopicFilter(common) : nil
            case (false, true): return otherRest.isMultiLevelWildcard ? try? TopicFilter(common) : nil
            case (true, true): common += "/"
            }
        }
    }

    /// Whether this filter matches every topic that the other one matches.
    func covers(_ other: TopicFilter) -> Bool {
        let (left, right) = (self.filter, other.filter)
        guard !Self.dollarSeparates(left, right) else { return false }
        var (rest, otherRest) = (left.utf8[...], right.utf8[...])
        while true {
            let (level, otherLevel) = (rest.level, otherRest.level)
            if level.isMultiLevelWildcard { return true }
            if otherLevel.isMultiLevelWildcard { return false }
            guard level.isSingleLevelWildcard || level.elementsEqual(otherLevel) else { return false }
            switch (rest.dropLevel(), otherRest.dropLevel()) {
            case (false, false): return true
            case (true, false): return rest.isMultiLevelWildcard
            case (false, true): return false
            case (true, true): continue
            }
        }
    }

    /// Whether one of them matches topics that begin with `$`, which the other one excludes.
    private static func dollarSeparates(_ left: String, _ right: String) -> Bool {
        let (first, other) = (left.utf8.first, right.utf8.first)
        let dollar = UInt8(ascii: "$")
        return first == dollar && other?.isWildcard == true || other == dollar && first?.isWildcard == true
    }

    private static func joined(_ common: String, _ rest: Substring.UTF8View) -> TopicFilter? {
        try? TopicFilter(common + Substring(rest))
    }
}

extension UInt8 {
    fileprivate var isWildcard: Bool { self == UInt8(ascii: "+") || self == UInt8(ascii: "#") }
}

/// The rest of a filter, from the beginning of a level.
extension Substring.UTF8View {
    fileprivate var level: Self { self.prefix { $0 != UInt8(ascii: "/") } }
    fileprivate var isMultiLevelWildcard: Bool { self.first == UInt8(ascii: "#") }
    fileprivate var isSingleLevelWildcard: Bool { self.first == UInt8(ascii: "+") }

    /// Advances to the next level; returns `false` if there is none.
    fileprivate mutating func dropLevel() -> Bool {
        guard let separator = self.firstIndex(of: UInt8(ascii: "/")) else {
            self = self[self.endIndex...]
            return false
        }
        self = self[self.index(after: separator)...]
        return true
    }
}

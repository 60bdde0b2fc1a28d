/// A deterministic random number generator.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func pick<Element>(_ choices: [Element]) -> Element {
        choices[Int.random(in: choices.indices, using: &self)]
    }

    /// Random levels from a small alphabet, so that filters and topics often match.
    mutating func levels(wildcards: Bool) -> String {
        let level = ["a", "b", "", "ab", "$x"] + (wildcards ? ["+", "+"] : [])
        var levels = (0..<Int.random(in: 1...5, using: &self)).map { _ in self.pick(level) }
        if wildcards, Int.random(in: 0..<4, using: &self) == 0 { levels.append("#") }
        if levels == [""] { levels = ["a"] }
        return levels.joined(separator: "/")
    }
}

/// The definition in section 4.7 in its simplest form, to compare the real matchers with.
func plainlyMatches(filter: String, topic: String) -> Bool {
    let filter = filter.split(separator: "/", omittingEmptySubsequences: false)
    let topic = topic.split(separator: "/", omittingEmptySubsequences: false)
    if topic[0].hasPrefix("$"), ["+", "#"].contains(filter[0]) { return false }
    for (index, level) in filter.enumerated() {
        if level == "#" { return topic.count >= index }
        guard index < topic.count, level == "+" || level == topic[index] else { return false }
    }
    return filter.count == topic.count
}

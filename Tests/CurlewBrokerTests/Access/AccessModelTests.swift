import CurlewCore
import Testing

@testable import CurlewBroker

/// Compares access rules with a simple model of them, over random rules, clients and topics.
@Suite struct AccessModelTests {
    /// A deterministic random number generator (SplitMix64).
    private struct Numbers: RandomNumberGenerator {
        var state: UInt64

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

        mutating func levels(_ choices: [String], mayEndWithHash: Bool) -> String {
            var levels = (0..<Int.random(in: 1...3, using: &self)).map { _ in self.pick(choices) }
            if mayEndWithHash, self.pick([true, false, false]) { levels.append("#") }
            return levels == [""] ? "a" : levels.joined(separator: "/")
        }
    }

    private struct Rule: CustomStringConvertible {
        /// `nil` for the rules before the first user; ignored for patterns.
        var user: String?
        var isPattern: Bool
        var access: String
        var filter: String

        var description: String { "\(self.isPattern ? "pattern" : "topic") \(self.access) \(self.filter)" }
    }

    private static func text(_ rules: [Rule]) -> String {
        // Rules before the first user come first.
        (rules.filter { $0.user == nil } + rules.filter { $0.user != nil }).map {
            ($0.user.map { "user \($0)\n" } ?? "") + "\($0)\n"
        }.joined()
    }

    private static func rules(_ numbers: inout Numbers) -> [Rule] {
        (0..<Int.random(in: 1...6, using: &numbers)).map { _ in
            let isPattern = numbers.pick([true, false])
            let levels = ["a", "b", "+", "", "$s"] + (isPattern ? ["%c", "%u", "a%c"] : [])
            return Rule(
                user: numbers.pick([nil, "u", "b"]), isPattern: isPattern,
                access: numbers.pick(["read", "write", "readwrite", "deny"]),
                filter: numbers.levels(levels, mayEndWithHash: true))
        }
    }

    // MARK: The model

    private static func matches(_ filter: [Substring], _ topic: [Substring]) -> Bool {
        if topic[0].hasPrefix("$"), filter[0] == "+" || filter[0] == "#" { return false }
        for (index, level) in filter.enumerated() {
            if level == "#" { return topic.count >= index }
            guard index < topic.count, level == "+" || level == topic[index] else { return false }
        }
        return filter.count == topic.count
    }

    private static func split(_ text: String) -> [Substring] {
        text.split(separator: "/", omittingEmptySubsequences: false)
    }

    private static func isUnsafe(_ name: String) -> Bool { name.isEmpty || name.contains { "+#/".contains($0) } }

    /// A matching denial wins, then a matching permission; `nil` if no rule decides.
    private static func decide(_ rules: [(access: String, filter: String)], _ wanted: String, _ topic: String) -> Bool?
    {
        let matching = rules.filter { Self.matches(Self.split($0.filter), Self.split(topic)) }.map(\.access)
        if matching.contains("deny") { return false }
        return matching.contains(wanted) || matching.contains("readwrite") ? true : nil
    }

    private static func allows(_ rules: [Rule], _ client: MQTTBrokerClient, _ wanted: String, _ topic: String) -> Bool {
        let own = rules.filter { !$0.isPattern && $0.user == client.username }.map { ($0.access, $0.filter) }
        if let decision = Self.decide(own, wanted, topic) { return decision }
        var patterns: [(String, String)] = []
        for rule in rules where rule.isPattern {
            let asksIdentifier = rule.filter.contains("%c")
            let asksUsername = rule.filter.contains("%u")
            if asksUsername, client.username == nil, !(asksIdentifier && Self.isUnsafe(client.identifier)) { continue }
            if asksIdentifier && Self.isUnsafe(client.identifier)
                || asksUsername && Self.isUnsafe(client.username ?? "")
            {
                if rule.access == "deny" { return false }
                continue
            }
            let filter = rule.filter.replacing("%c", with: client.identifier)
                .replacing("%u", with: client.username ?? "")
            if filter.hasPrefix("$"), !rule.filter.hasPrefix("$") { continue }
            patterns.append((rule.access, filter))
        }
        return Self.decide(patterns, wanted, topic) ?? false
    }

    private static let clients = [nil, "u", "b", "+", "a/b", "$s"].flatMap { user in
        ["a", "b", "$s", "#", "b/a"].map { MQTTBrokerClient(identifier: $0, username: user) }
    }

    /// Every topic of up to three levels that the rules can tell apart.
    private static let topics: [String] = {
        let levels = ["a", "b", "", "$s", "aa", "ab", "a$s", "u"]
        var topics: [String] = []
        for first in levels {
            topics.append(first)
            for second in levels {
                topics.append("\(first)/\(second)")
                for third in levels { topics.append("\(first)/\(second)/\(third)") }
            }
        }
        return topics.filter { !$0.isEmpty }
    }()

    @Test("Decisions about topics agree with the model", arguments: UInt64(0)..<40)
    func topics(seed: UInt64) throws {
        var numbers = Numbers(state: seed)
        for _ in 0..<10 {
            let rules = Self.rules(&numbers)
            let access = try AccessRules(Self.text(rules), name: "rules")
            for client in Self.clients {
                for _ in 0..<20 {
                    let topic = numbers.pick(Self.topics)
                    for (rights, wanted) in [(AccessRights.read, "read"), (.write, "write")] {
                        let decision = access.allows(client, rights, of: try TopicName(topic))
                        #expect(
                            decision == Self.allows(rules, client, wanted, topic),
                            "\(Self.text(rules)) \(client.username ?? "nobody") \(client.identifier) \(wanted) \(topic)"
                        )
                    }
                }
            }
        }
    }

    @Test("A refused subscription could receive nothing; an allowed one, without deny rules, could receive something")
    func subscriptions() throws {
        var numbers = Numbers(state: 7)
        var (refused, allowed) = (0, 0)
        for _ in 0..<50 {
            let rules = Self.rules(&numbers)
            let access = try AccessRules(Self.text(rules), name: "rules")
            for _ in 0..<8 {
                let client = numbers.pick(Self.clients)
                let filter = numbers.levels(["a", "b", "+", "", "$s"], mayEndWithHash: true)
                let isAllowed = access.allows(client, subscribing: try TopicFilter(filter))
                let levels = Self.split(filter)
                let receivable = Self.topics.contains {
                    Self.matches(levels, Self.split($0)) && Self.allows(rules, client, "read", $0)
                }
                let context = "\(Self.text(rules)) \(client.username ?? "nobody") \(client.identifier) \(filter)"
                if !isAllowed {
                    #expect(!receivable, "\(context)")
                    refused += 1
                } else if !rules.contains(where: { $0.access == "deny" }) {
                    #expect(receivable, "\(context)")
                    allowed += 1
                }
            }
        }
        #expect(refused > 20 && allowed > 20)
    }
}

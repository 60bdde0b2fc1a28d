import CurlewCore
import Testing

@Suite("Subscription index")
struct SubscriptionIndexTests {
    private typealias Index = SubscriptionIndex<Int>

    private func grant(
        _ qos: QoS = .exactlyOnce, noLocal: Bool = false, retain: Bool = false, identifier: UInt32? = nil
    ) -> SubscriptionGrant {
        SubscriptionGrant(
            SubscriptionOptions(qos: qos, noLocal: noLocal, retainAsPublished: retain), identifier: identifier)
    }

    @Test(
        "A client with several matching subscriptions gets one message at the highest QoS, with all identifiers [MQTT-3.3.4-2] [MQTT-3.3.4-4]"
    )
    func overlapping() throws {
        var index = Index()
        index.insert(try TopicFilter("a/#"), 1, self.grant(.atMostOnce, identifier: 10))
        index.insert(try TopicFilter("a/+"), 1, self.grant(.atLeastOnce, identifier: 11))
        index.insert(try TopicFilter("+/b"), 1, self.grant(.atMostOnce))
        index.insert(try TopicFilter("a/b"), 2, self.grant(.atMostOnce))
        let route = index.route(TopicName("a/b"))
        #expect(Set(route.targets.map(\.subscriber)) == [1, 2])
        let target = try #require(route.targets.first { $0.subscriber == 1 })
        let terms = try #require(
            target.grants.terms(publishedAt: .exactlyOnce, retain: false, isOwn: false, upgrades: false))
        #expect(terms.qos == .atLeastOnce)
        #expect(Set(terms.identifiers) == [10, 11])
    }

    @Test("hasMatch tells whether any subscription of a client matches a topic")
    func matches() throws {
        var index = Index()
        index.insert(try TopicFilter("a/+"), 1, self.grant())
        index.insert(try TopicFilter("$share/g/b"), 1, self.grant())
        index.insert(try TopicFilter("a/b"), 2, self.grant())
        #expect(index.hasMatch(of: TopicName("a/b"), for: 1))
        #expect(index.hasMatch(of: TopicName("b"), for: 1))
        #expect(!index.hasMatch(of: TopicName("a/c"), for: 2))
        #expect(!index.hasMatch(of: TopicName("c"), for: 1))
    }

    @Test("A message is not delivered at a higher QoS than it was published at, unless upgrades are on [MQTT-3.8.4-8]")
    func minimumQoS() throws {
        var index = Index()
        index.insert(try TopicFilter("a"), 1, self.grant(.exactlyOnce))
        let target = try #require(index.route(TopicName("a")).targets.first)
        #expect(
            target.grants.terms(publishedAt: .atLeastOnce, retain: false, isOwn: false, upgrades: false)?.qos
                == .atLeastOnce)
        #expect(
            target.grants.terms(publishedAt: .atLeastOnce, retain: false, isOwn: false, upgrades: true)?.qos
                == .exactlyOnce)
    }

    @Test("A client's own message is delivered only through subscriptions without No Local [MQTT-3.8.3-3]")
    func noLocal() throws {
        var index = Index()
        index.insert(try TopicFilter("a"), 1, self.grant(.exactlyOnce, noLocal: true, identifier: 1))
        var target = try #require(index.route(TopicName("a")).targets.first)
        #expect(target.grants.terms(publishedAt: .atMostOnce, retain: false, isOwn: true, upgrades: false) == nil)
        #expect(target.grants.terms(publishedAt: .atMostOnce, retain: false, isOwn: false, upgrades: false) != nil)
        index.insert(try TopicFilter("#"), 1, self.grant(.atMostOnce, identifier: 2))
        target = try #require(index.route(TopicName("a")).targets.first)
        #expect(
            target.grants.terms(publishedAt: .atLeastOnce, retain: false, isOwn: true, upgrades: false)?.identifiers
                == [2])
    }

    @Test(
        "RETAIN is kept only for subscriptions with Retain As Published [MQTT-3.3.1-12] [MQTT-3.3.1-13]",
        arguments: [false, true], [false, true])
    func retainAsPublished(wanted: Bool, published: Bool) throws {
        var index = Index()
        index.insert(try TopicFilter("a"), 1, self.grant(retain: wanted))
        let target = try #require(index.route(TopicName("a")).targets.first)
        let terms = target.grants.terms(publishedAt: .atMostOnce, retain: published, isOwn: false, upgrades: false)
        #expect(terms?.retain == (wanted && published))
    }

    @Test("Inserting the same filter again replaces the subscription [MQTT-3.8.4-3]")
    func replacing() throws {
        var index = Index()
        #expect(index.insert(try TopicFilter("a"), 1, self.grant(.exactlyOnce, identifier: 1)))
        #expect(!index.insert(try TopicFilter("a"), 1, self.grant(.atMostOnce, identifier: 2)))
        #expect(index.count == 1)
        let terms = index.route(TopicName("a")).targets.first?.grants.terms(
            publishedAt: .exactlyOnce, retain: false, isOwn: false, upgrades: false)
        #expect(terms?.qos == .atMostOnce)
        #expect(terms?.identifiers == [2])
    }

    @Test("The members of a shared subscription are one receiver, separate for each share name [MQTT-4.8.2-1]")
    func groups() throws {
        var index = Index()
        for subscriber in 1...3 { index.insert(try TopicFilter("$share/g/a/+"), subscriber, self.grant()) }
        index.insert(try TopicFilter("$share/h/a/b"), 1, self.grant(.atMostOnce))
        index.insert(try TopicFilter("a/b"), 1, self.grant())
        let route = index.route(TopicName("a/b"))
        #expect(route.targets.map(\.subscriber) == [1])
        #expect(Set(route.groups.map(\.filter.string)) == ["$share/g/a/+", "$share/h/a/b"])
        let group = try #require(route.groups.first { $0.filter.shareName == "g" })
        #expect(Set(group.members.map(\.subscriber)) == [1, 2, 3])
        let terms = group.members[0].grant.terms(
            sharing: group.filter, publishedAt: .atLeastOnce, retain: true, upgrades: false)
        #expect(terms.group == group.filter)
        #expect(terms.qos == .atLeastOnce)  // [MQTT-4.8.2-3]
    }

    @Test("The index agrees with a plain list under random changes")
    func random() throws {
        var generator = SplitMix64(seed: 2026)
        var index = Index()
        var plain: [String: Set<Int>] = [:]
        for _ in 0..<3000 {
            let text = generator.levels(wildcards: true)
            let filter = try TopicFilter(text)
            let subscriber = Int.random(in: 0..<5, using: &generator)
            if Int.random(in: 0..<3, using: &generator) > 0 {
                let isNew = index.insert(filter, subscriber, self.grant())
                #expect(isNew == plain[text, default: []].insert(subscriber).inserted)
            } else {
                let had = index.remove(filter, subscriber)
                #expect(had == (plain[text]?.remove(subscriber) != nil))
            }
            let topic = generator.levels(wildcards: false)
            let expected = plain.filter { plainlyMatches(filter: $0.key, topic: topic) }.values.reduce(into: Set<Int>())
            {
                $0.formUnion($1)
            }
            let route = index.route(try TopicName(topic))
            #expect(Set(route.targets.map(\.subscriber)) == expected)
            #expect(route.targets.count == expected.count)
        }
        #expect(index.count == plain.values.reduce(0) { $0 + $1.count })
    }

    @Test("A client's part of a route does not grow with its matching subscriptions")
    func mergedTargets() throws {
        let single = try self.overlapping(levels: 1)
        let many = try self.overlapping(levels: 8)
        #expect(many.matchCount == 256)
        #expect(many.targets.count == 1)
        #expect(many.byteCount == single.byteCount)
    }

    /// The route of a topic that matches every combination of `a` and `+` in its levels.
    private func overlapping(levels: Int) throws -> Index.Route {
        var index = Index()
        for bits in 0..<(1 << levels) {
            let filter = (0..<levels).map { bits >> $0 & 1 == 1 ? "+" : "a" }.joined(separator: "/")
            index.insert(try TopicFilter(filter), 1, self.grant())
        }
        return index.route(try TopicName(Array(repeating: "a", count: levels).joined(separator: "/")))
    }

    @Test("Routes share the members of a group")
    func sharedGroups() throws {
        var index = Index()
        for subscriber in 0..<100 { index.insert(try TopicFilter("$share/g/#"), subscriber, self.grant()) }
        var groups: [TopicFilter: Index.Group] = [:]
        let first = index.route(TopicName("a"), groups: &groups)
        let second = index.route(TopicName("b"), groups: &groups)
        #expect(groups.count == 1)
        #expect(first.groups[0].members.map(\.subscriber) == second.groups[0].members.map(\.subscriber))
        #expect(second.byteCount < 200)
        #expect(second.matchCount == 1)
    }

    @Test("A copy stays unchanged when the original changes")
    func snapshot() throws {
        var index = Index()
        index.insert(try TopicFilter("a/+"), 1, self.grant())
        let copy = index
        index.remove(try TopicFilter("a/+"), 1)
        index.insert(try TopicFilter("a/b"), 2, self.grant())
        #expect(copy.route(TopicName("a/b")).targets.map(\.subscriber) == [1])
        #expect(index.route(TopicName("a/b")).targets.map(\.subscriber) == [2])
    }
}

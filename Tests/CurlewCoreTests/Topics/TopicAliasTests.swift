import CurlewCore
import Testing

@Suite("Topic aliases")
struct TopicAliasTests {
    private let hot = "plant/line/temperature"

    @Test(
        "A topic gets an alias on its second use, is introduced once, and is then replaced by the alias [MQTT-3.3.2-8]")
    func earns() throws {
        var aliases = OutgoingTopicAliases(maximum: 5)
        let topic = try TopicName(hot)
        #expect(aliases.assign(topic) == .none)
        #expect(aliases.assign(topic) == .introduce(1))
        #expect(aliases.assign(topic) == .use(1))
        #expect(aliases.assign(topic) == .use(1))
    }

    @Test("No alias is assigned if the receiver accepts none [MQTT-3.2.2-18]")
    func none() throws {
        var aliases = OutgoingTopicAliases(maximum: 0)
        for _ in 0..<5 { #expect(try aliases.assign(TopicName(hot)) == .none) }
    }

    @Test("A topic shorter than the alias property gets no alias")
    func short() throws {
        var aliases = OutgoingTopicAliases(maximum: 5)
        for _ in 0..<5 { #expect(try aliases.assign(TopicName(String("a/b"))) == .none) }
    }

    @Test("A new connection begins without aliases, at both ends [MQTT-3.3.2-7]")
    func reset() throws {
        var (outgoing, incoming) = (OutgoingTopicAliases(maximum: 5), IncomingTopicAliases(maximum: 5))
        let topic = try TopicName(hot)
        for _ in 0..<3 { _ = outgoing.assign(topic) }
        _ = try incoming.resolve(topic, alias: 1)
        outgoing.reset(maximum: 3)
        incoming.reset(maximum: 3)
        #expect(outgoing.maximum == 3)
        #expect(outgoing.assign(topic) == .none)
        #expect(throws: IncomingTopicAliases.Failure.unknown(1)) { try incoming.resolve(nil, alias: 1) }
    }

    @Test("Topics that are used only once take no alias from a topic in use")
    func scan() throws {
        var aliases = OutgoingTopicAliases(maximum: 8)
        let hot = try (1...8).map { try TopicName(String("hot/topic/\($0)")) }
        for _ in 0..<3 { for topic in hot { _ = aliases.assign(topic) } }
        for number in 0..<20_000 {
            let once = aliases.assign(try TopicName(String("scan/\(number)")))
            // One use in 20,000 may be mistaken for a second one because of its hash; it still gets no alias.
            #expect(once == .none)
            guard number % 100 == 0 else { continue }
            for topic in hot {
                guard case .use = aliases.assign(topic) else {
                    Issue.record("\(topic) lost its alias")
                    return
                }
            }
        }
    }

    @Test("When the topics in use change, the new ones take over the aliases")
    func change() throws {
        var aliases = OutgoingTopicAliases(maximum: 4)
        for _ in 0..<100 { for number in 1...4 { _ = aliases.assign(try TopicName(String("old/topic/\(number)"))) } }
        var used = 0
        for round in 0..<200 {
            for number in 1...4 {
                let alias = aliases.assign(try TopicName(String("new/topic/\(number)")))
                if round >= 100, case .use = alias { used += 1 }
            }
        }
        #expect(used == 400)
    }

    @Test("One topic more than there are aliases does not make the aliases rotate")
    func noThrashing() throws {
        var aliases = OutgoingTopicAliases(maximum: 10)
        var introductions = 0
        for _ in 0..<500 {
            for number in 0..<11 {
                if case .introduce = aliases.assign(try TopicName(String("topic/\(number)"))) { introductions += 1 }
            }
        }
        #expect(introductions < 40)
    }

    @Test("An alias that was not sent is withdrawn, and assigned to the next topic")
    func withdraw() throws {
        var aliases = OutgoingTopicAliases(maximum: 1)
        let (first, second) = (try TopicName(String("topic/1")), try TopicName(String("topic/2")))
        _ = aliases.assign(first)
        #expect(aliases.assign(first) == .introduce(1))
        aliases.withdraw(1)
        aliases.withdraw(1)
        aliases.withdraw(9)
        _ = aliases.assign(second)
        #expect(aliases.assign(second) == .introduce(1))
        #expect(aliases.assign(second) == .use(1))
        #expect(aliases.assign(first) != .introduce(2))
    }

    @Test("Both ends always agree on the topic [MQTT-3.3.2-9] [MQTT-3.3.2-12]", arguments: [1, 2, 7, 64] as [UInt16])
    func bothEnds(maximum: UInt16) throws {
        var random = SplitMix64(seed: UInt64(maximum))
        var (outgoing, incoming) = (OutgoingTopicAliases(maximum: maximum), IncomingTopicAliases(maximum: maximum))
        var byAlias = 0
        for step in 0..<20_000 {
            // A few topics often, many rarely, and different ones over time.
            let range = random.pick([3, 30, 3_000])
            let topic = try TopicName(String("topic/\(step / 5_000)/\(Int.random(in: 0..<range, using: &random))"))
            switch outgoing.assign(topic) {
            case .none:
                break
            case .introduce(let alias):
                if step % 10 == 0 {
                    outgoing.withdraw(alias)
                } else {
                    #expect(try incoming.resolve(topic, alias: alias) == topic)
                }
            case .use(let alias):
                byAlias += 1
                #expect(try incoming.resolve(nil, alias: alias) == topic)
            }
        }
        #expect(byAlias > (maximum < 7 ? 500 : 5_000))
    }

    @Test("An alias of 0 or above the maximum is an invalid topic alias", arguments: [0, 4, 65_535] as [UInt16])
    func outOfRange(alias: UInt16) throws {
        var aliases = IncomingTopicAliases(maximum: 3)
        let error = #expect(throws: IncomingTopicAliases.Failure.self) {
            try aliases.resolve(TopicName(hot), alias: alias)
        }
        #expect(error == .outOfRange(alias, maximum: 3))
        #expect(error?.reasonCode == .topicAliasInvalid)
    }

    @Test("Every alias from 1 to the maximum is accepted [MQTT-3.3.2-10] [MQTT-3.3.2-12]")
    func allAccepted() throws {
        var aliases = IncomingTopicAliases(maximum: .max)
        for alias in [1, 65_535, 300] as [UInt16] {
            let topic = try TopicName(String("topic/\(alias)"))
            #expect(try aliases.resolve(topic, alias: alias) == topic)
        }
        #expect(try aliases.resolve(nil, alias: 65_535).string == "topic/65535")
        #expect(try aliases.resolve(TopicName(String("other")), alias: 300).string == "other")
        #expect(try aliases.resolve(nil, alias: 300).string == "other")
    }

    @Test("An unknown alias, or neither topic nor alias, is a protocol error")
    func unknown() throws {
        var aliases = IncomingTopicAliases(maximum: 3)
        #expect(try aliases.resolve(TopicName(hot), alias: nil).string == hot)
        let error = #expect(throws: IncomingTopicAliases.Failure.unknown(2)) { try aliases.resolve(nil, alias: 2) }
        #expect(error?.reasonCode == .protocolError)
        let nothing = #expect(throws: IncomingTopicAliases.Failure.noTopic) { try aliases.resolve(nil, alias: nil) }
        #expect(nothing?.reasonCode == .protocolError)
    }
}

import CurlewCore
import Testing

@Suite("Topic filters")
struct TopicFilterTests {
    @Test(
        "A valid topic filter keeps its text, and knows whether it has wildcards [MQTT-4.7.1-1] [MQTT-4.7.1-2]",
        arguments: [
            ("a", false), ("/", false), ("#", true), ("+", true), ("a/#", true), ("/#", true), ("+/+", true),
            ("+/a/#", true),
            ("a//b", false), ("$SYS/#", true), ("$share", false), ("$shared/a/b", false),
        ])
    func valid(text: String, hasWildcards: Bool) throws {
        let filter = try TopicFilter(text)
        #expect(filter.string == text)
        #expect(filter.filter == text)
        #expect(filter.shareName == nil)
        #expect(filter.hasWildcards == hasWildcards)
    }

    @Test("A shared filter has a share name and a filter [MQTT-4.8.2-1] [MQTT-4.8.2-2]")
    func shared() throws {
        let filter = try TopicFilter("$share/workers/jobs/+")
        #expect(filter.isShared)
        #expect(filter.shareName == "workers")
        #expect(filter.filter == "jobs/+")
        #expect(filter.string == "$share/workers/jobs/+")
        #expect(filter.hasWildcards)
        #expect(try filter.matches(TopicName(String("jobs/1"))))
        #expect(try !filter.matches(TopicName(String("$share/workers/jobs/1"))))
        #expect(try TopicFilter("$share/é//").filter == "/")
        #expect(try !TopicFilter("$share/g/a").hasWildcards)
    }

    @Test(
        "An invalid topic filter is refused [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.3-1] [MQTT-4.7.3-2]",
        arguments: [
            ("", TopicError.Problem.empty), ("a\0", .containsNull), ("a/#/b", .multiLevelWildcardNotLast),
            ("#/", .multiLevelWildcardNotLast), ("a#", .multiLevelWildcardNotAlone),
            ("a/b#", .multiLevelWildcardNotAlone),
            ("#a", .multiLevelWildcardNotAlone), ("##", .multiLevelWildcardNotAlone),
            ("a+", .singleLevelWildcardNotAlone),
            ("+a", .singleLevelWildcardNotAlone), ("++", .singleLevelWildcardNotAlone),
            ("a/b+/c", .singleLevelWildcardNotAlone),
        ])
    func invalid(text: String, problem: TopicError.Problem) {
        let error = #expect(throws: TopicError.self) { try TopicFilter(text) }
        #expect(error?.problem == problem)
    }

    @Test(
        "An invalid shared filter is refused [MQTT-4.8.2-1] [MQTT-4.8.2-2]",
        arguments: [
            ("$share/", TopicError.Problem.shareNameEmpty), ("$share//a", .shareNameEmpty),
            ("$share/g", .shareWithoutFilter),
            ("$share/g/", .shareWithoutFilter), ("$share/g+/a", .shareNameHasWildcard),
            ("$share/#", .shareNameHasWildcard),
            ("$share/g\0/a", .containsNull), ("$share/g/a#", .multiLevelWildcardNotAlone),
        ])
    func invalidShared(text: String, problem: TopicError.Problem) {
        let error = #expect(throws: TopicError.self) { try TopicFilter(text) }
        #expect(error?.problem == problem)
        #expect(error?.message.hasSuffix(".") == true)
    }

    @Test("A topic filter has at most 65,535 bytes [MQTT-4.7.3-3]")
    func length() throws {
        #expect(try TopicFilter("$share/g/" + String(repeating: "+/", count: 32_763)).string.utf8.count == 65_535)
        let error = #expect(throws: TopicError.self) { try TopicFilter(String(repeating: "a", count: 65_536)) }
        #expect(error?.problem == .tooLong)
    }

    @Test(
        "The examples in section 4.7.1 of the standard match",
        arguments: [
            ("sport/tennis/player1/#", "sport/tennis/player1"),
            ("sport/tennis/player1/#", "sport/tennis/player1/ranking"),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"), ("sport/#", "sport"), ("#", "a/b"),
            ("sport/tennis/+", "sport/tennis/player1"), ("sport/+", "sport/"), ("+/+", "/finance"), ("/+", "/finance"),
            ("+/tennis/#", "x/tennis"), ("$SYS/#", "$SYS/monitor/x"), ("$SYS/monitor/+", "$SYS/monitor/Clients"),
            ("+/#", "a"),
        ])
    func matching(filter: String, topic: String) throws {
        #expect(try TopicFilter(filter).matches(TopicName(topic)))
    }

    @Test(
        "A filter does not match a different number of levels, a different text, or '$' with a wildcard [MQTT-4.7.2-1]",
        arguments: [
            ("sport/tennis/+", "sport/tennis/player1/ranking"), ("sport/+", "sport"), ("+", "/finance"),
            ("#", "$SYS/x"),
            ("+/monitor/Clients", "$SYS/monitor/Clients"), ("ACCOUNTS", "Accounts"), ("/a", "a"), ("a", "a/"),
            ("a/", "a"),
            ("a/b/#", "a"), ("ab/#", "a"), ("a/#", "ab"), ("+/#", "$SYS"), ("a/+", "a"),
        ])
    func notMatching(filter: String, topic: String) throws {
        #expect(try !TopicFilter(filter).matches(TopicName(topic)))
    }

    @Test("Random filters and topics agree with the simple definition", arguments: 1...4 as ClosedRange<UInt64>)
    func random(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var matches = 0
        for _ in 0..<5_000 {
            let (filter, topic) = (random.levels(wildcards: true), random.levels(wildcards: false))
            let expected = plainlyMatches(filter: filter, topic: topic)
            #expect(try TopicFilter(filter).matches(TopicName(topic)) == expected, "\(filter) \(topic)")
            matches += expected ? 1 : 0
        }
        #expect(matches > 100)
    }
}

import CurlewCore
import Testing

@testable import CurlewBroker

/// Topic filters as sets of topics.
@Suite struct TopicFilterSetsTests {
    @Test(
        "The intersection of two filters is a filter, or empty",
        arguments: [
            ("a", "a", "a"), ("a", "b", nil), ("a/b", "a", nil), ("+", "a", "a"), ("#", "a/b", "a/b"),
            ("a/#", "a", "a"), ("a/#", "+/b", "a/b"), ("a/+", "+/b", "a/b"), ("+/+", "#", "+/+"), ("a/#", "b/#", nil),
            ("+/b/#", "a/#", "a/b/#"), ("+/#", "a", "a"), ("#", "$x", nil), ("+/a", "$x/a", nil),
            ("$x/#", "$x/a", "$x/a"),
            ("/", "+/+", "/"), ("a/", "a/#", "a/"), ("a/+", "a", nil), ("a/b/#", "a", nil), ("$share/g/a", "a", "a"),
        ] as [(String, String, String?)])
    func intersection(left: String, right: String, common: String?) throws {
        let (left, right) = (try TopicFilter(left), try TopicFilter(right))
        #expect(left.intersection(right)?.string == common)
        #expect(right.intersection(left)?.string == common)
    }

    @Test(
        "A filter covers another one if it matches everything that the other matches",
        arguments: [
            ("a", "a", true), ("+", "a", true), ("a", "+", false), ("#", "a/#", true), ("a/#", "#", false),
            ("a/#", "a", true), ("a/+", "a/#", false), ("a/#", "a/+", true), ("+/b", "a/b", true), ("a/b", "a", false),
            ("a", "a/b", false), ("#", "$x", false), ("+/x", "$x/x", false), ("$x/#", "$x/y", true), ("+/#", "+", true),
        ])
    func covering(left: String, right: String, covers: Bool) throws {
        #expect(try TopicFilter(left).covers(TopicFilter(right)) == covers)
    }
}

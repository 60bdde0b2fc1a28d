import CurlewCore
import Testing

@Suite("Matching a topic name against a filter")
struct TopicNameMatchingTests {
    @Test(arguments: [
        ("a/b", "a/+", true), ("a/b", "a/#", true), ("a/b", "#", true), ("a/b", "b/#", false), ("$SYS/a", "#", false),
        ("a/b", "a/b#", false), ("a/b", "", false),
    ])
    func matches(topic: String, filter: String, expected: Bool) throws {
        #expect(try TopicName(topic).matches(filter) == expected)
    }
}

import CurlewCore
import Testing

@Suite("Wildcard patterns")
struct WildcardPatternTests {
    private func pattern(_ filter: String) throws -> WildcardPattern? { WildcardPattern(of: try TopicFilter(filter)) }

    @Test("A pattern consists of the positions of the wildcards and the number of levels")
    func patterns() throws {
        #expect(try self.pattern("a/+/#") == self.pattern("bb/+/#"))
        #expect(try self.pattern("a/+/#") != self.pattern("+/a/#"))
        #expect(try self.pattern("a/+") != self.pattern("a/+/b"))
        #expect(try self.pattern("a/+/#") != self.pattern("a/+/+"))
        #expect(try self.pattern("a/b/c") == nil)
        #expect(try self.pattern("$share/g/a/+") != self.pattern("a/+"))
        #expect(try self.pattern("$share/g/a/+") != self.pattern("$share/h/a/+"))
        #expect(try self.pattern("$share/g/a/+") == self.pattern("$share/g/b/+"))
    }

    @Test("A topic matches at most one filter of each pattern")
    func bound() throws {
        var generator = SplitMix64(seed: 815)
        let filters = Set((0..<2000).map { _ in generator.levels(wildcards: true) })
        for _ in 0..<500 {
            let topic = generator.levels(wildcards: false)
            let matching = try filters.filter { plainlyMatches(filter: $0, topic: topic) }.map { try self.pattern($0) }
            #expect(Set(matching).count == matching.count)
        }
    }
}

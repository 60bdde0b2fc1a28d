import CurlewCore
import Testing

@Suite("Topic tree")
struct TopicTreeTests {
    private func tree(_ filters: String...) throws -> TopicTree<Int> {
        var tree = TopicTree<Int>()
        for (value, filter) in filters.enumerated() { tree[try TopicFilter(filter)] = value }
        return tree
    }

    private func matches<Value>(_ tree: TopicTree<Value>, _ topic: String) throws -> [String] {
        var found: [String] = []
        tree.forEachMatch(of: try TopicName(topic)) { filter, _ in found.append(filter.string) }
        return found.sorted()
    }

    @Test("A topic finds each matching filter once")
    func match() throws {
        let tree = try tree(
            "a/b/c", "a/+/c", "a/#", "a/b/c/#", "+/b/#", "#", "a/b", "a/b/d", "x/b/c", "+/+/+", "a/b/c/d")
        #expect(
            try matches(tree, "a/b/c")
                == ["#", "+/+/+", "+/b/#", "a/#", "a/+/c", "a/b/c", "a/b/c/#"])
        #expect(try matches(tree, "a") == ["#", "a/#"])
        #expect(try matches(tree, "q") == ["#"])
        #expect(try tree.containsMatch(of: TopicName(String("q"))))
    }

    @Test("Wildcards at the first level do not match '$' topics [MQTT-4.7.2-1]")
    func dollar() throws {
        let tree = try tree("#", "+/x", "$SYS/#", "$SYS/+", "+/#")
        #expect(try matches(tree, "$SYS/x") == ["$SYS/#", "$SYS/+"])
        #expect(try matches(tree, "$SYS") == ["$SYS/#"])
        #expect(try matches(tree, "a/x") == ["#", "+/#", "+/x"])
    }

    @Test("Empty levels are levels")
    func emptyLevels() throws {
        let tree = try tree("/", "/+", "//", "+/+", "a/", "a", "/#")
        #expect(try matches(tree, "/") == ["+/+", "/", "/#", "/+"])
        #expect(try matches(tree, "//") == ["/#", "//"])
        #expect(try matches(tree, "a/") == ["+/+", "a/"])
    }

    @Test("Shared filters match like plain ones, separately for each share name [MQTT-4.8.2-1]")
    func shared() throws {
        var tree = try tree("$share/g/a/+", "$share/h/a/+", "a/+", "$share/g/#")
        #expect(try matches(tree, "a/b") == ["$share/g/#", "$share/g/a/+", "$share/h/a/+", "a/+"])
        #expect(try tree[TopicFilter("$share/h/a/+")] == 1)
        #expect(try tree[TopicFilter("$share/i/a/+")] == nil)
        #expect(try tree.remove(TopicFilter("a/+")) == 2)
        #expect(try tree.remove(TopicFilter("$share/i/a/+")) == nil)
        #expect(try matches(tree, "a/b") == ["$share/g/#", "$share/g/a/+", "$share/h/a/+"])
        #expect(tree.count == 3)
    }

    @Test("Looking up a filter finds that filter, not the filters that match it")
    func lookUp() throws {
        let tree = try tree("a/b/c", "a/+/c", "a/#")
        #expect(try tree[TopicFilter("a/+/c")] == 1)
        #expect(try tree[TopicFilter("a/#")] == 2)
        for missing in ["a", "a/b", "a/+", "+/b/c", "#", "a/b/c/#", "a/b/cd", "a/b/c/"] {
            #expect(try tree[TopicFilter(missing)] == nil, "\(missing)")
        }
    }

    @Test("A value is changed in place")
    func update() throws {
        var tree = TopicTree<[Int]>()
        for filter in [try TopicFilter("a/#"), try TopicFilter("$share/g/a")] {
            #expect(
                tree.withValue(for: filter, default: [1]) {
                    $0.append(2); return $0.count
                } == 2)
            #expect(
                tree.withValue(for: filter, default: []) {
                    $0.append(3); return $0.count
                } == 3)
            #expect(tree[filter] == [1, 2, 3])
            tree[filter] = [9]
            #expect(tree[filter] == [9])
        }
        #expect(tree.count == 2)
        tree[try TopicFilter("a/#")] = nil
        #expect(tree.count == 1)
        tree.removeAll()
        #expect(tree.isEmpty)
    }

    @Test("Removing a filter also removes the nodes that only it needed")
    func pruning() throws {
        var tree = try tree("a/b/c/d", "a/b/x/y")
        #expect(tree.nodeCount == 4, "root, a/b, c/d and x/y")
        tree[try TopicFilter("a/b/x/y")] = nil
        #expect(tree.nodeCount == 2, "root and a/b/c/d")
        tree[try TopicFilter("a/b/#")] = 7
        #expect(tree.nodeCount == 4, "root, a/b, # and c/d")
        tree[try TopicFilter("a/b/c/d")] = nil
        #expect(tree.nodeCount == 3)
        tree[try TopicFilter("a/b/#")] = nil
        #expect(tree.nodeCount == 1)
        #expect(tree.isEmpty)
    }

    @Test("A copy stays unchanged when the original changes")
    func copies() throws {
        var tree = try tree("a/b", "a/c", "a/+", "b/#")
        let before = tree
        tree[try TopicFilter("a/b")] = nil
        tree[try TopicFilter("a/c")] = 70
        tree[try TopicFilter("a/b/c")] = 80
        tree[try TopicFilter("b/#")] = nil
        #expect(try matches(before, "a/b") == ["a/+", "a/b"])
        #expect(try matches(before, "b/x") == ["b/#"])
        #expect(try before[TopicFilter("a/c")] == 1)
        #expect(before.count == 4)
        #expect(try matches(tree, "a/b") == ["a/+"])
        #expect(try matches(tree, "a/b/c") == ["a/b/c"])
        #expect(tree.count == 3)
    }

    @Test("A value in a copied tree is not changed through the original")
    func copiedValues() throws {
        var tree = TopicTree<[Int]>()
        let filters = [try TopicFilter("x/y/z"), try TopicFilter("$share/g/x/y/z"), try TopicFilter("x/+/#")]
        for filter in filters { tree[filter] = [1] }
        let before = tree
        for filter in filters { tree.withValue(for: filter, default: []) { $0.append(2) } }
        for filter in filters {
            #expect(before[filter] == [1])
            #expect(tree[filter] == [1, 2])
        }
    }

    @Test("65,535 levels need no more stack than one")
    func deep() throws {
        let slashes = String(repeating: "/", count: 65_534)
        let single = try TopicFilter("+" + String(repeating: "/+", count: 32_767))
        var tree = try tree(slashes + "#", slashes + "a", "#")
        tree[single] = 3
        #expect(try matches(tree, slashes + "a").count == 3)
        #expect(try matches(tree, String(repeating: "a/", count: 32_767) + "a") == [single.string, "#"].sorted())
        #expect(tree.nodeCount < 10, "memory follows the number of filters, not of levels")
        #expect(try tree.remove(TopicFilter(slashes + "a")) == 1)
        #expect(tree.count == 3)
    }

    @Test("A chain of 3,000 nodes is searched, copied, changed and released without recursion")
    func deepNodes() throws {
        var tree = TopicTree<Int>()
        for depth in 1...3_000 { tree[try TopicFilter(String(repeating: "a/", count: depth) + "a")] = depth }
        #expect(tree.nodeCount == 3_001)
        #expect(try tree.containsMatch(of: TopicName(String(repeating: "a/", count: 3_000) + "a")))
        var copy = tree
        copy[try TopicFilter(String(repeating: "a/", count: 3_000) + "#")] = 0
        #expect(copy.count == 3_001)
        #expect(tree.count == 3_000)
    }

    @Test("A wide node grows and shrinks, and its copy stays complete")
    func wide() throws {
        var tree = TopicTree<Int>()
        for device in 0..<3_000 { tree[try TopicFilter("devices/\(device)/rpc")] = device }
        #expect(tree.nodeCount == 3_002)
        let before = tree
        for device in 0..<2_999 { #expect(try tree.remove(TopicFilter("devices/\(device)/rpc")) == device) }
        #expect(tree.nodeCount == 2)
        #expect(try matches(tree, "devices/2999/rpc") == ["devices/2999/rpc"])
        #expect(before.nodeCount == 3_002)
        for device in 0..<3_000 { #expect(try before[TopicFilter("devices/\(device)/rpc")] == device) }
        #expect(try matches(before, "devices/17/rpc") == ["devices/17/rpc"])
        #expect(try matches(before, "devices/17") == [])
    }

    @Test("Random operations agree with a list of filters", arguments: 1...6 as ClosedRange<UInt64>)
    func random(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var tree = TopicTree<Int>()
        var list: [String: Int] = [:]
        var snapshots: [(tree: TopicTree<Int>, list: [String: Int])] = []
        var found = 0

        func check(_ tree: TopicTree<Int>, _ list: [String: Int], _ topic: String) throws -> Int {
            var matched: [String: Int] = [:]
            tree.forEachMatch(of: try TopicName(topic)) { filter, value in
                #expect(matched.updateValue(value, forKey: filter.string) == nil, "twice")
            }
            let expected = try list.filter { plainlyMatches(filter: try TopicFilter($0.key).filter, topic: topic) }
            #expect(matched == expected, "\(topic)")
            return expected.count
        }

        for step in 0..<2_000 {
            let text = random.pick(["", "", "", "$share/g/", "$share/h/"]) + random.levels(wildcards: true)
            let filter = try TopicFilter(text)
            // Grow for a while, then shrink.
            let removes = Int.random(in: 0..<10, using: &random) < (step % 1_000 < 500 ? 2 : 8)
            if removes, let victim = list.keys.sorted().randomElement(using: &random) {
                #expect(try tree.remove(TopicFilter(victim)) == list.removeValue(forKey: victim))
            } else if !removes {
                tree[filter] = step
                list[text] = step
            }
            #expect(tree.count == list.count)
            #expect(tree[filter] == list[text])
            #expect(tree.nodeCount <= 1 + 3 * list.count, "each filter needs its node, '#' and a fork at the most")
            found += try check(tree, list, random.levels(wildcards: false))
            if step % 200 == 0 { snapshots.append((tree, list)) }
        }
        #expect(found > 1_000)
        for (tree, list) in snapshots {
            for _ in 0..<50 { _ = try check(tree, list, random.levels(wildcards: false)) }
            var all: [String: Int] = [:]
            tree.forEach { filter, value in all[filter.string] = value }
            #expect(all == list)
        }
        for text in list.keys { tree[try TopicFilter(text)] = nil }
        #expect(tree.nodeCount == 1)
    }
}

import NIOCore
import Testing

@testable import CurlewCore

@Suite("Topic cache")
struct TopicCacheTests {
    private func lookUp(_ text: String, in cache: TopicCache) -> TopicName? {
        Array(text.utf8).withUnsafeBytes { cache.topic($0, hash: TopicCache.hash($0)) }
    }

    private func insert(_ text: String, in cache: inout TopicCache) {
        let hash = Array(text.utf8).withUnsafeBytes { TopicCache.hash($0) }
        cache.insert(TopicName(unchecked: text), hash: hash)
    }

    @Test("The cache allocates no memory before the first topic, and finds what was inserted")
    func basics() {
        var cache = TopicCache()
        #expect(cache.capacity == 0)
        #expect(self.lookUp("a", in: cache) == nil)
        for length in 1...40 {
            let topic = String(repeating: "x", count: length)
            self.insert(topic, in: &cache)
            #expect(self.lookUp(topic, in: cache)?.string == topic)
            #expect(self.lookUp(topic + "y", in: cache) == nil)
            #expect(self.lookUp(String(topic.dropLast()) + "y", in: cache) == nil)
        }
    }

    @Test("The cache grows with its topics, up to its maximum")
    func bounds() {
        var cache = TopicCache()
        self.insert("a", in: &cache)
        #expect(cache.capacity == 16)
        for number in 0..<20_000 { self.insert("devices/\(number)/state", in: &cache) }
        #expect(cache.capacity == TopicCache.maximumCount)
        #expect(self.lookUp("devices/19999/state", in: cache)?.string == "devices/19999/state")
    }

    @Test("A few dozen topics in turn are all cached, whatever their names")
    func fewTopics() {
        for fleet in 0..<200 {
            var cache = TopicCache()
            let topics = (0..<64).map { "fleet/\(fleet)/device/\($0)/temperature" }
            var missing = topics.count
            for _ in 0..<1000 where missing > 0 {
                missing = 0
                for topic in topics where self.lookUp(topic, in: cache) == nil {
                    missing += 1
                    self.insert(topic, in: &cache)
                }
            }
            #expect(missing == 0, "fleet \(fleet)")
        }
    }

    @Test("Long topics are not cached")
    func longTopics() {
        var cache = TopicCache()
        let longest = String(repeating: "x", count: TopicCache.longestTopic)
        self.insert(longest, in: &cache)
        self.insert(longest + "x", in: &cache)
        #expect(self.lookUp(longest, in: cache) != nil)
        #expect(self.lookUp(longest + "x", in: cache) == nil)
    }

    // [MQTT-4.7.3-4]
    @Test("Topics that differ only in normalization are distinct, even with the same hash")
    func normalization() {
        var cache = TopicCache()
        let composed = "caf\u{E9}"
        let decomposed = "cafe\u{301}"
        let hash = Array(composed.utf8).withUnsafeBytes { TopicCache.hash($0) }
        cache.insert(TopicName(unchecked: composed), hash: hash)
        let found = Array(decomposed.utf8).withUnsafeBytes { cache.topic($0, hash: hash) }
        #expect(found == nil)
    }

    @Test("A decoded topic has exactly the bytes from the wire, the first time and when cached")
    func throughTheDecoder() throws {
        var decoder = PacketDecoder(from: .server, version: .v3_1_1, maximumPacketSize: 1000)
        let topics = ["cafe\u{301}", "caf\u{E9}", "\u{FEFF}a", "a", "long/enough/to/have/memory/of/its/own"]
        for topic in topics + topics {
            var buffer = ByteBuffer()
            try Publish(topic: TopicName(unchecked: topic), payload: ByteBuffer()).encode(
                into: &buffer, version: .v3_1_1)
            guard case .publish(let publish) = try decoder.decode(from: &buffer) else {
                Issue.record("no PUBLISH")
                return
            }
            #expect(publish.topic.map { Array($0.string.utf8) } == Array(topic.utf8))
        }
    }

    @Test("A refused topic is not cached as valid")
    func refused() {
        for _ in 0..<2 {
            var decoder = PacketDecoder(from: .server, version: .v3_1_1, maximumPacketSize: 1000)
            var buffer = ByteBuffer(bytes: [0x30, 3, 0, 1, 0x23])
            #expect(throws: DecodingError.topicName(.publish)) { try decoder.decode(from: &buffer) }
        }
    }
}

import CurlewCore
import NIOCore
import Testing

@Suite("Retained messages")
struct RetainedMessagesTests {
    private func message(_ topic: String, _ text: String, expiresAt: Timestamp? = nil) throws -> BrokerMessage {
        BrokerMessage(
            topic: try TopicName(topic), payload: ByteBuffer(string: text), qos: .atLeastOnce, retain: true,
            properties: Properties(), expiresAt: expiresAt)
    }

    private func topics(_ messages: RetainedMessages, _ filter: String) throws -> [String] {
        var cursor = messages.matching(try TopicFilter(filter))
        var topics: [String] = []
        while !cursor.isAtEnd {
            var steps = 3
            if let entry = cursor.next(steps: &steps) { topics.append(entry.message.topic.string) }
        }
        return topics.sorted()
    }

    @Test(
        "The last message of a topic is kept, and an empty one removes it [MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-7]")
    func storing() throws {
        var messages = RetainedMessages(maximumCount: 10, maximumBytes: 1 << 20)
        #expect(messages.store(try self.message("a", "1"), from: nil) == .set)
        #expect(messages.store(try self.message("a", "2"), from: nil) == .set)
        #expect(messages.count == 1)
        #expect(messages.message(TopicName("a"), now: .start).map { String(buffer: $0.payload) } == "2")
        #expect(messages.store(try self.message("a", ""), from: nil) == .removed(true))
        #expect(messages.store(try self.message("a", ""), from: nil) == .removed(false))
        #expect(messages.count == 0)
        #expect(messages.byteCount == 0)
    }

    @Test("The number of retained messages and their bytes are limited")
    func bounds() throws {
        var messages = RetainedMessages(maximumCount: 2, maximumBytes: 1000)
        #expect(messages.store(try self.message("a", "1"), from: nil) == .set)
        #expect(messages.store(try self.message("b", "1"), from: nil) == .set)
        #expect(messages.store(try self.message("c", "1"), from: nil) == .full)
        #expect(messages.store(try self.message("a", String(repeating: "x", count: 900)), from: nil) == .full)
        #expect(messages.message(TopicName("a"), now: .start) == nil)
        #expect(messages.store(try self.message("a", "2"), from: nil) == .set)
    }

    @Test("The bytes removed since a point in time are counted")
    func removedSince() throws {
        var messages = RetainedMessages(maximumCount: 10, maximumBytes: 1 << 20)
        let old = try self.message("a", "1")
        _ = messages.store(old, from: nil)
        let mark = messages.now
        #expect(messages.matching(try TopicFilter("#")).began == mark)
        #expect(mark.bytesRemoved(until: messages.now) == 0)
        _ = messages.store(try self.message("b", "1"), from: nil)
        #expect(mark.bytesRemoved(until: messages.now) == 0)
        for text in ["2", "3"] {
            _ = messages.store(try self.message("a", text), from: nil)
            #expect(mark.bytesRemoved(until: messages.now) == old.byteCount)
        }
    }

    @Test("An expired message is not returned")
    func expiry() throws {
        var messages = RetainedMessages(maximumCount: 10, maximumBytes: 1 << 20)
        _ = messages.store(try self.message("a", "1", expiresAt: .start + .seconds(5)), from: nil)
        #expect(messages.message(TopicName("a"), now: .start + .seconds(4)) != nil)
        #expect(messages.message(TopicName("a"), now: .start + .seconds(5)) == nil)
        let expired = messages.expired(now: .start + .seconds(5))
        #expect(expired.map(\.topic.string) == ["a"])
        messages.remove(expired)
        #expect(messages.byteCount == 0)
    }

    @Test("A wildcard finds matching topics, but no '$' topic at its first level [MQTT-4.7.2-1]")
    func wildcards() throws {
        var messages = RetainedMessages(maximumCount: 100, maximumBytes: 1 << 20)
        for topic in ["a", "a/b", "a/b/c", "a/c/c", "/", "/a", "$SYS/x", "b", "$share/g/a", "a//c"] {
            #expect(messages.store(try self.message(topic, "x"), from: nil) == .set)
        }
        #expect(try self.topics(messages, "a/#") == ["a", "a//c", "a/b", "a/b/c", "a/c/c"])
        #expect(try self.topics(messages, "a/+/c") == ["a//c", "a/b/c", "a/c/c"])
        #expect(try self.topics(messages, "+") == ["a", "b"])
        #expect(try self.topics(messages, "+/+") == ["/", "/a", "a/b"])
        #expect(try self.topics(messages, "#") == ["/", "/a", "a", "a//c", "a/b", "a/b/c", "a/c/c", "b"])
        #expect(try self.topics(messages, "$SYS/#") == ["$SYS/x"])
        #expect(try self.topics(messages, "a/b") == ["a/b"])
        #expect(try self.topics(messages, "a/x").isEmpty)
    }

    @Test("Look-ups agree with the definition for random topics and filters")
    func random() throws {
        var generator = SplitMix64(seed: 77)
        var messages = RetainedMessages(maximumCount: 10_000, maximumBytes: 1 << 30)
        var plain: Set<String> = []
        for _ in 0..<3000 {
            let topic = generator.levels(wildcards: false)
            let isSet = Int.random(in: 0..<3, using: &generator) > 0
            _ = messages.store(try self.message(topic, isSet ? "x" : ""), from: nil)
            if isSet { plain.insert(topic) } else { plain.remove(topic) }
            let filter = generator.levels(wildcards: true)
            let expected = plain.filter { plainlyMatches(filter: filter, topic: $0) }.sorted()
            #expect(try self.topics(messages, filter) == expected, "\(filter)")
        }
    }

    @Test("A look-up that has begun does not see changes, and outdated messages can be recognized")
    func snapshot() throws {
        var messages = RetainedMessages(maximumCount: 100, maximumBytes: 1 << 20)
        for number in 0..<20 { _ = messages.store(try self.message("a/\(number)", "old"), from: nil) }
        var cursor = messages.matching(try TopicFilter("a/+"))
        var steps = Int.max
        _ = cursor.next(steps: &steps)
        for number in 0..<20 {
            _ = messages.store(try self.message("a/\(number)", number < 10 ? "new" : ""), from: nil)
        }
        var rest = 0
        while let entry = cursor.next(steps: &steps) {
            rest += 1
            #expect(String(buffer: entry.message.payload) == "old")
            #expect(!messages.isCurrent(entry.message))
        }
        #expect(rest == 19)
    }
}

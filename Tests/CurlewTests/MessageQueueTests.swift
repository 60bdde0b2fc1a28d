import CurlewCore
import DequeModule
import NIOCore
import Testing

@testable import Curlew

/// A message of the given size, topic included; by default without a payload.
private func message(_ topic: String, bytes: Int? = nil, qos: QoS = .atMostOnce) -> MQTTMessage {
    TestMessages.make(topic: topic, byteCount: bytes ?? topic.utf8.count, qos: qos)
}

private func queue(
    _ order: MQTTConfiguration.SubscriptionQueue.Order = .fifo, count: Int = 3, bytes: Int = 1000,
    overflow: MQTTConfiguration.SubscriptionQueue.Overflow = .dropOldest
) -> MessageQueue {
    MessageQueue(.init(order: order, count: count, bytes: bytes, overflow: overflow))
}

/// Orders by the first digit of the topic.
private let byDigit = MQTTConfiguration.SubscriptionQueue.Order.highestFirst {
    $0.topic.string.first?.wholeNumberValue ?? 0
}

extension MessageQueue {
    /// Appends messages without payload; returns the topics of the dropped ones.
    fileprivate mutating func append(_ topics: String...) -> [String] {
        var dropped: [MQTTMessage] = []
        for topic in topics { _ = self.append(message(topic), dropped: &dropped) }
        return dropped.map(\.topic.string)
    }

    /// Removes all messages; returns their topics in order.
    fileprivate mutating func drain() -> [String] {
        var topics: [String] = []
        while let next = self.popNext() { topics.append(next.topic.string) }
        return topics
    }
}

@Suite("Message queue")
struct MessageQueueTests {
    @Test("First in, first out")
    func fifo() {
        var queue = queue()
        #expect(queue.append("a", "b", "c") == [])
        #expect(queue.count == 3 && queue.byteCount == 3)
        #expect(queue.drain() == ["a", "b", "c"])
        #expect(queue.isEmpty && queue.byteCount == 0)
    }

    @Test("Last in, first out")
    func lifo() {
        var queue = queue(.lifo)
        #expect(queue.append("a", "b", "c", "d") == ["a"])
        #expect(queue.drain() == ["d", "c", "b"])
    }

    @Test("The lowest number comes first, in the order of arrival among equals")
    func lowestFirst() {
        let numbers = ["a/1": Int.max, "b/1": 0, "c/1": Int.min, "d/1": 0]
        var queue = queue(.lowestFirst { numbers[$0.topic.string] ?? 0 }, count: 4)
        #expect(queue.append("a/1", "b/1", "c/1", "d/1") == [])
        #expect(queue.drain() == ["c/1", "b/1", "d/1", "a/1"])
    }

    @Test("Messages are ordered by priority, and by arrival within one priority")
    func priority() {
        var queue = queue(byDigit, count: 10)
        #expect(queue.append("1a", "2a", "1b", "3a", "2b") == [])
        #expect(queue.drain() == ["3a", "2a", "2b", "1a", "1b"])
    }

    @Test("takeAll empties a FIFO queue into the batch, and the queue can be filled again")
    func takeAll() {
        var queue = queue()
        var batch = Deque<MQTTMessage>()
        #expect(queue.servesBatches)
        _ = queue.append("a", "b")
        queue.takeAll(into: &batch)
        #expect(batch.map(\.topic.string) == ["a", "b"])
        #expect(queue.isEmpty && queue.byteCount == 0)
        batch.removeAll(keepingCapacity: true)
        #expect(queue.append("c", "d", "e") == [])
        queue.takeAll(into: &batch)
        #expect(batch.map(\.topic.string) == ["c", "d", "e"])
    }

    @Test("takeAll keeps the queue's order")
    func takeAllInOrder() {
        var batch = Deque<MQTTMessage>()
        var lifo = queue(.lifo)
        _ = lifo.append("a", "b")
        lifo.takeAll(into: &batch)
        #expect(batch.map(\.topic.string) == ["b", "a"])
        #expect(!lifo.servesBatches)
        batch = []
        var priority = queue(byDigit)
        _ = priority.append("1", "2")
        priority.takeAll(into: &batch)
        #expect(batch.map(\.topic.string) == ["2", "1"])
        #expect(priority.byteCount == 0)
    }

    @Test("dropOldest drops the oldest message, returns it and counts it")
    func dropOldest() {
        var queue = queue()
        var dropped: [MQTTMessage] = []
        for topic in ["a", "b", "c"] {
            #expect(queue.append(message(topic, qos: .atLeastOnce), dropped: &dropped) == .queued)
        }
        #expect(queue.append(message("d"), dropped: &dropped) == .madeRoom)
        #expect(dropped.map(\.topic.string) == ["a"])
        #expect(dropped.first?.qos == .atLeastOnce)
        #expect(queue.droppedCount == 1 && queue.droppedBytes == 1)
        #expect(queue.drain() == ["b", "c", "d"])
    }

    @Test("dropNewest drops the newest message")
    func dropNewest() {
        var queue = queue(.fifo, overflow: .dropNewest)
        var dropped: [MQTTMessage] = []
        #expect(queue.append("a", "b", "c") == [])
        #expect(queue.append(message("d"), dropped: &dropped) == .refused)
        #expect(dropped.map(\.topic.string) == ["d"])
        #expect(queue.drain() == ["a", "b", "c"])
    }

    @Test("With fail, a full queue fails for good, and its messages can still be taken")
    func fail() {
        var queue = queue(.fifo, overflow: .fail)
        var dropped: [MQTTMessage] = []
        #expect(queue.append("a", "b", "c") == [])
        #expect(queue.append(message("d"), dropped: &dropped) == .failed)
        #expect(queue.hasFailed && dropped.isEmpty && queue.droppedCount == 0)
        #expect(queue.drain() == ["a", "b", "c"])
        #expect(queue.append(message("e"), dropped: &dropped) == .failed)
        #expect(queue.isEmpty)
    }

    @Test("When the queue exceeds its bytes, as many of the oldest messages are dropped as necessary")
    func bytes() {
        var queue = queue(.fifo, count: 100, bytes: 10)
        var dropped: [MQTTMessage] = []
        for topic in ["a", "b", "c"] { _ = queue.append(message(topic, bytes: 3), dropped: &dropped) }
        #expect(queue.append(message("d", bytes: 5), dropped: &dropped) == .madeRoom)
        #expect(dropped.map(\.topic.string) == ["a", "b"])
        #expect(queue.byteCount == 8)
    }

    @Test(
        "A message larger than the whole queue drops no other message",
        arguments: [MQTTConfiguration.SubscriptionQueue.Overflow.dropOldest, .dropNewest, .latestPerTopic])
    func oversized(overflow: MQTTConfiguration.SubscriptionQueue.Overflow) {
        var queue = queue(.fifo, bytes: 10, overflow: overflow)
        var dropped: [MQTTMessage] = []
        _ = queue.append("a")
        #expect(queue.append(message("a", bytes: 11), dropped: &dropped) == .refused)
        #expect(dropped.map(\.weight) == [11])
        #expect(queue.drain() == ["a"])
    }

    @Test("A full priority queue drops its lowest priority, oldest or newest first, even if that is the new message")
    func priorityOverflow() {
        var oldest = queue(byDigit)
        #expect(oldest.append("1a", "2a", "1b") == [])
        #expect(oldest.append("3a") == ["1a"])
        #expect(oldest.append("0a") == ["0a"])
        #expect(oldest.append("1c") == ["1b"])
        #expect(oldest.drain() == ["3a", "2a", "1c"])

        var newest = queue(byDigit, overflow: .dropNewest)
        #expect(newest.append("1a", "2a", "1b") == [])
        #expect(newest.append("3a") == ["1b"])
        #expect(newest.append("1c") == ["1c"])
        #expect(newest.drain() == ["3a", "2a", "1a"])
    }

    @Test("A full priority queue fails if that is its policy")
    func priorityFail() {
        var queue = queue(byDigit, overflow: .fail)
        var dropped: [MQTTMessage] = []
        #expect(queue.append("1", "2", "3") == [])
        #expect(queue.append(message("4"), dropped: &dropped) == .failed)
        #expect(queue.drain() == ["3", "2", "1"])
    }

    @Test("latestPerTopic replaces the previous message of the topic; a full queue drops the oldest topic")
    func latestPerTopic() {
        var queue = queue(.fifo, overflow: .latestPerTopic)
        var dropped: [MQTTMessage] = []
        #expect(!queue.servesBatches)
        #expect(queue.append("a", "b", "c") == [])
        #expect(queue.append(message("a", bytes: 7), dropped: &dropped) == .madeRoom)
        #expect(dropped.map(\.weight) == [1])
        #expect(queue.replacedCount == 1 && queue.droppedCount == 0 && queue.byteCount == 9)
        #expect(queue.append("d") == ["a"])
        #expect(queue.drain() == ["b", "c", "d"])
        #expect(queue.append("b") == [])
        #expect(queue.drain() == ["b"])
    }

    @Test("A longer replacement drops other messages, not itself")
    func longerReplacement() {
        var queue = queue(.fifo, count: 10, bytes: 10, overflow: .latestPerTopic)
        var dropped: [MQTTMessage] = []
        for topic in ["a", "b", "c"] { _ = queue.append(message(topic, bytes: 3), dropped: &dropped) }
        #expect(queue.append(message("a", bytes: 6), dropped: &dropped) == .madeRoom)
        #expect(dropped.map(\.topic.string) == ["a", "b"])
        #expect(queue.byteCount == 9)
        dropped = []
        #expect(queue.append(message("c", bytes: 9), dropped: &dropped) == .madeRoom)
        #expect(dropped.map(\.topic.string) == ["c", "a"])
        #expect(queue.drain() == ["c"])
    }

    @Test("The largest limits cause no arithmetic overflow")
    func unbounded() {
        var queue = queue(.fifo, count: .max, bytes: .max)
        var dropped: [MQTTMessage] = []
        for _ in 0..<1000 { #expect(queue.append(message("a", bytes: 100), dropped: &dropped) == .queued) }
        #expect(queue.byteCount == 100_000)
    }
}

extension MessageQueue {
    /// Appends as a subscription does: with the priority from the settings.
    mutating func append(_ message: MQTTMessage, dropped: inout [MQTTMessage]) -> Append {
        self.append(message, rank: self.priority?(message), dropped: &dropped)
    }
}

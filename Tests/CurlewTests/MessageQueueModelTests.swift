import CurlewCore
import DequeModule
import NIOCore
import Testing

@testable import Curlew

/// The simplest model of a queue: a list in order of arrival that is searched each time.
private struct QueueModel {
    enum Order: CaseIterable {
        case fifo
        case lifo
        case priority
    }

    enum Overflow: CaseIterable {
        case dropOldest
        case dropNewest
        case latestPerTopic
        case fail
    }

    let order: Order
    let overflow: Overflow
    let count: Int
    let bytes: Int
    var waiting: [MQTTMessage] = []
    var hasFailed = false

    static func priority(_ message: MQTTMessage) -> Int { message.weight % 4 }

    private func rank(_ message: MQTTMessage) -> Int { self.order == .priority ? Self.priority(message) : 0 }

    private var isOverfull: Bool {
        self.waiting.count > self.count || self.waiting.reduce(0) { $0 + $1.weight } > self.bytes
    }

    /// Returns the dropped messages.
    mutating func append(_ message: MQTTMessage) -> [MQTTMessage] {
        if self.hasFailed { return [] }
        if message.weight > self.bytes {
            self.hasFailed = self.overflow == .fail
            return self.hasFailed ? [] : [message]
        }
        var dropped: [MQTTMessage] = []
        var own = self.waiting.count
        if self.overflow == .latestPerTopic, let place = self.waiting.firstIndex(where: { $0.topic == message.topic }) {
            dropped.append(self.waiting[place])
            self.waiting[place] = message
            own = place
        } else {
            self.waiting.append(message)
        }
        while self.isOverfull {
            if self.overflow == .fail {
                self.waiting.removeLast()
                self.hasFailed = true
                return []
            }
            let lowest = self.waiting.map(self.rank).min()
            let candidates = self.waiting.indices.filter { self.rank(self.waiting[$0]) == lowest }
            let victim: Int?
            switch self.overflow {
            case .dropNewest: victim = candidates.last
            // The new message is not the oldest, wherever it is in the list.
            case .latestPerTopic: victim = candidates.first { $0 != own }
            default: victim = candidates.first
            }
            guard let victim else { return dropped }
            dropped.append(self.waiting.remove(at: victim))
            if victim < own { own -= 1 } else if victim == own { break }
        }
        return dropped
    }

    mutating func popNext() -> MQTTMessage? {
        guard !self.waiting.isEmpty else { return nil }
        switch self.order {
        case .fifo: return self.waiting.removeFirst()
        case .lifo: return self.waiting.removeLast()
        case .priority:
            let highest = self.waiting.map(self.rank).max()
            return self.waiting.firstIndex { self.rank($0) == highest }.map { self.waiting.remove(at: $0) }
        }
    }
}

@Suite("Message queue and its model")
struct MessageQueueModelTests {
    /// Identifies a message in these tests: its topic and its size.
    private struct Trace: Equatable {
        let topic: String
        let size: Int

        init(_ message: MQTTMessage) {
            self.topic = message.topic.string
            self.size = message.weight
        }
    }

    @Test("The queue agrees with its model under random operations", arguments: 1...UInt64(200))
    func random(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for order in QueueModel.Order.allCases {
            for overflow in QueueModel.Overflow.allCases where (order, overflow) != (.priority, .latestPerTopic) {
                let model = QueueModel(
                    order: order, overflow: overflow, count: .random(in: 1...8, using: &random),
                    bytes: .random(in: 10...150, using: &random))
                self.run(model, &random)
            }
        }
    }

    private func run(_ start: QueueModel, _ random: inout SplitMix64) {
        var model = start
        var queue = MessageQueue(Self.settings(model))
        var batch = Deque<MQTTMessage>()
        var droppedCount = 0
        for _ in 0..<120 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<7:
                let message = TestMessages.make(
                    topic: "t\(Int.random(in: 0..<5, using: &random))", byteCount: .random(in: 2...60, using: &random))
                var dropped: [MQTTMessage] = []
                let outcome = queue.append(message, dropped: &dropped)
                #expect(dropped.map(Trace.init) == model.append(message).map(Trace.init))
                #expect((outcome == .failed) == model.hasFailed)
                if outcome == .queued { #expect(dropped.isEmpty) }
                if outcome == .refused { #expect(dropped.last.map(Trace.init) == Trace(message)) }
                droppedCount += dropped.count
            case 7..<9:
                #expect(queue.popNext().map(Trace.init) == model.popNext().map(Trace.init))
            default:
                batch.removeAll(keepingCapacity: true)
                queue.takeAll(into: &batch)
                var expected: [Trace] = []
                while let next = model.popNext() { expected.append(Trace(next)) }
                #expect(batch.map(Trace.init) == expected)
            }
            #expect(queue.count == model.waiting.count)
            #expect(queue.byteCount == model.waiting.reduce(0) { $0 + $1.weight })
            #expect(queue.hasFailed == model.hasFailed)
            #expect(queue.droppedCount + queue.replacedCount == droppedCount)
        }
    }

    private static func settings(_ model: QueueModel) -> MQTTConfiguration.SubscriptionQueue {
        let order: MQTTConfiguration.SubscriptionQueue.Order =
            switch model.order {
            case .fifo: .fifo
            case .lifo: .lifo
            case .priority: .highestFirst(by: QueueModel.priority)
            }
        let overflow: MQTTConfiguration.SubscriptionQueue.Overflow =
            switch model.overflow {
            case .dropOldest: .dropOldest
            case .dropNewest: .dropNewest
            case .latestPerTopic: .latestPerTopic
            case .fail: .fail
            }
        return .init(order: order, count: model.count, bytes: model.bytes, overflow: overflow)
    }
}

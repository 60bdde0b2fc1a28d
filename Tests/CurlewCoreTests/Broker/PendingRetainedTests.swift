import CurlewCore
import NIOCore
import Testing

@Suite("Pending retained messages")
struct PendingRetainedTests {
    private var messages = RetainedMessages(maximumCount: 1000, maximumBytes: 1 << 20)

    init() throws {
        for number in 0..<10 { self.retain("t/\(number)", "old") }
    }

    private mutating func retain(_ topic: String, _ text: String) {
        _ = self.messages.store(
            BrokerMessage(
                topic: TopicName(unchecked: topic), payload: ByteBuffer(string: text), qos: .atMostOnce, retain: true,
                properties: Properties(), expiresAt: nil), from: nil)
    }

    private func delivery(_ filter: String, qos: QoS = .atMostOnce) throws -> PendingRetained.Delivery {
        PendingRetained.Delivery(
            filter: try TopicFilter(filter), qos: qos, identifier: nil, latest: self.messages.latest)
    }

    private func rest(_ pending: inout PendingRetained, stepsAtOnce: Int = 3) -> [(topic: String, qos: QoS)] {
        var found: [(String, QoS)] = []
        while !pending.isEmpty {
            var steps = stepsAtOnce
            while let next = pending.next(steps: &steps, begin: { self.messages.matching($0) }) {
                found.append((next.entry.message.topic.string, next.delivery.qos))
            }
        }
        return found
    }

    @Test("Each subscription gets its messages, in the order of the subscriptions")
    func order() throws {
        var pending = PendingRetained()
        pending.add(try self.delivery("t/3"))
        pending.add(try self.delivery("t/+"))
        pending.add(try self.delivery("none"))
        let topics = self.rest(&pending).map(\.topic)
        #expect(topics.first == "t/3")
        #expect(topics.dropFirst().sorted() == (0..<10).map { "t/\($0)" })
    }

    @Test("Subscribing again replaces the pending delivery, even one that has begun")
    func replacing() throws {
        var pending = PendingRetained()
        pending.add(try self.delivery("t/+"))
        var steps = 5
        #expect(pending.next(steps: &steps) { self.messages.matching($0) } != nil)
        pending.add(try self.delivery("t/+", qos: .atLeastOnce))
        #expect(pending.count == 1)
        let rest = self.rest(&pending)
        #expect(rest.count == 10)
        #expect(rest.allSatisfy { $0.qos == .atLeastOnce })
    }

    @Test("An ended subscription gets no more retained messages")
    func removing() throws {
        var pending = PendingRetained()
        pending.add(try self.delivery("t/+"))
        pending.add(try self.delivery("t/1"))
        var steps = 5
        #expect(pending.next(steps: &steps) { self.messages.matching($0) } != nil)
        pending.remove([try TopicFilter("t/+")])
        #expect(self.rest(&pending).map(\.topic) == ["t/1"])
    }

    @Test("A delivery that has ended keeps no old retained messages alive")
    func voidDelivery() throws {
        var pending = PendingRetained()
        for filter in ["t/+", "t/1"] { pending.add(try self.delivery(filter)) }
        var steps = 5
        #expect(pending.next(steps: &steps) { self.messages.matching($0) } != nil)
        pending.remove([try TopicFilter("t/1")])
        #expect(pending.began != nil)
        pending.add(try self.delivery("t/1"))
        pending.remove([try TopicFilter("t/+")])
        #expect(pending.began == nil)
    }

    @Test("Messages retained after the subscription are not delivered again")
    mutating func later() throws {
        var pending = PendingRetained()
        pending.add(try self.delivery("t/+"))
        self.retain("t/3", "new")
        self.retain("t/new", "new")
        #expect(self.rest(&pending).map(\.topic).sorted() == [0, 1, 2, 4, 5, 6, 7, 8, 9].map { "t/\($0)" })
    }

    @Test("Subscribing again and again leaves no more state than one subscription")
    func bounded() throws {
        var pending = PendingRetained()
        pending.add(try self.delivery("t/1"))
        for _ in 0..<10_000 {
            pending.add(try self.delivery("t/2"))
            pending.remove([try TopicFilter("t/2")])
        }
        #expect(pending.placeCount <= 65)
        #expect(self.rest(&pending).map(\.topic) == ["t/1"])
    }
}

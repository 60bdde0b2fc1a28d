import Testing

@testable import CurlewCore

@Suite("Unclaimed messages")
struct UnclaimedMessagesTests {
    private var now = Timestamp.start

    private func makeMessages(
        count: Int = 3, bytes: Int = 100, time: Duration? = .seconds(10)
    ) -> UnclaimedMessages<String> {
        var messages = UnclaimedMessages<String>(.init(count: count, bytes: bytes, time: time))
        messages.connected(isResumed: false, at: self.now) { _ in false }
        return messages
    }

    private func token(_ sequence: UInt64, _ qos: QoS = .atLeastOnce) -> DeliveryToken {
        DeliveryToken(sequence: sequence, packetID: id(UInt16(sequence) + 1), qos: qos)
    }

    @Test("Unclaimed messages go to the subscription that claims them, in order of arrival")
    func claimed() {
        var messages = self.makeMessages()
        for (sequence, topic) in ["a", "b", "a"].enumerated() {
            #expect(add("\(sequence)", on: TopicName(unchecked: topic), UInt64(sequence), to: &messages).isEmpty)
        }
        #expect(messages.claimed(by: [topicFilter("a")]) == ["0", "2"])
        #expect(messages.claimed(by: [topicFilter("a")]) == [] && messages.count == 1)
        #expect(messages.allClaimed() == ["1"] && messages.deadline == nil)
    }

    @Test("A returned message takes its place in order of arrival, and the same message is kept only once")
    func handedBack() {
        var messages = self.makeMessages()
        add("5", 5, to: &messages)
        add("3", 3, to: &messages)
        #expect(add("5", 5, to: &messages) == [self.token(5)])
        #expect(messages.takeReport(at: self.now) == nil)
        #expect(messages.claimed(by: [topicFilter("#")]) == ["3", "5"])
    }

    @Test("A shared filter claims messages too, and # claims no topic that begins with $ [MQTT-4.7.2-1]")
    func filters() {
        var messages = self.makeMessages()
        add("x", on: "a/b", 1, to: &messages)
        add("y", on: "$SYS/b", 2, to: &messages)
        #expect(messages.claimed(by: [topicFilter("#")]) == ["x"])
        add("x", on: "a/b", 3, to: &messages)
        #expect(messages.claimed(by: [topicFilter("$share/g/a/+")]) == ["x"])
    }

    @Test("Above the limits for count or bytes, the oldest messages are dropped and reported with their topics")
    func bounds() {
        var messages = self.makeMessages(count: 2, bytes: 10)
        add("1", on: "a", 1, to: &messages)
        add("2", on: "b", 2, to: &messages)
        #expect(add("3", on: "c", 3, to: &messages) == [self.token(1)])
        #expect(add("4", on: "d", size: 10, 4, to: &messages) == [self.token(2), self.token(3)])
        #expect(messages.takeReport(at: self.now) == .init(topics: ["a", "b", "c"], count: 3))
        #expect(messages.allClaimed() == ["4"])
    }

    @Test("A message larger than the byte limit drops no others")
    func tooLarge() {
        var messages = self.makeMessages(bytes: 10)
        add("1", 1, to: &messages)
        #expect(add("2", size: 11, 2, to: &messages) == [self.token(2)])
        #expect(messages.allClaimed() == ["1"])
    }

    @Test("A message is dropped after its time, and later ones on the same connection do not wait")
    func time() {
        var messages = self.makeMessages()
        add("1", 1, to: &messages)
        #expect(messages.deadline == .start + .seconds(10))
        #expect(messages.timePassed(.start + .seconds(9)).isEmpty)
        #expect(messages.timePassed(.start + .seconds(10)) == [self.token(1)])
        #expect(add("2", 2, to: &messages) == [self.token(2)])
        messages.connected(isResumed: false, at: self.now) { _ in false }
        #expect(add("3", 3, to: &messages).isEmpty)
    }

    @Test("Without a time, messages wait forever; with time zero, not at all")
    func otherTimes() {
        var endless = self.makeMessages(time: nil)
        add("1", 1, to: &endless)
        #expect(endless.deadline == nil && endless.timePassed(.start + .seconds(1_000_000)).isEmpty)
        var none = self.makeMessages(time: .zero)
        #expect(add("1", 1, to: &none) == [self.token(1)])
        #expect(none.takeReport(at: self.now)?.count == 1)
    }

    @Test("When a session is resumed, QoS 1 messages are dropped, since they are resent; QoS 2 messages stay")
    func resumed() {
        var messages = self.makeMessages()
        add("1", 1, to: &messages)
        add("2", 2, .exactlyOnce, to: &messages)
        messages.connected(isResumed: true, at: self.now) { _ in false }
        #expect(messages.allClaimed() == ["2"])
    }

    @Test("When the server has lost the session, all messages stay")
    func lost() {
        var messages = self.makeMessages()
        add("1", 1, to: &messages)
        messages.connected(isResumed: false, at: self.now) { _ in false }
        #expect(messages.allClaimed() == ["1"])
    }

    @Test("A report contains at most eight topics, each once, and comes at most once a second")
    func reports() {
        var messages = self.makeMessages(count: 0)
        for number in 0..<100 { add("x", on: TopicName(unchecked: "t/\(number / 2)"), UInt64(number), to: &messages) }
        let report = messages.takeReport(at: self.now)
        #expect(report?.count == 100 && report?.topics.map(\.string) == (0..<8).map { "t/\($0)" })
        add("x", 200, to: &messages)
        #expect(messages.takeReport(at: self.now + .milliseconds(999)) == nil)
        #expect(messages.deadline == self.now + .seconds(1))
        #expect(messages.takeReport(at: self.now + .seconds(1)) == .init(topics: ["a"], count: 1))
        #expect(messages.deadline == nil)
    }

    @Test("After the end, nothing is left")
    func end() {
        var messages = self.makeMessages()
        add("1", 1, to: &messages)
        #expect(messages.end() == nil)
        #expect(messages.count == 0 && messages.deadline == nil)
    }

    @Test("Unreported messages are reported at the end")
    func lastReport() {
        var messages = self.makeMessages(count: 0)
        add("1", on: "a", 1, to: &messages)
        #expect(messages.takeReport(at: self.now) != nil)
        add("2", on: "b", 2, to: &messages)
        #expect(messages.takeReport(at: self.now) == nil)
        #expect(messages.end() == .init(topics: ["b"], count: 1))
        #expect(messages.letGoCount == 2)
    }

    @Test("A message of a lost session survives the next resumption")
    func orphans() {
        var messages = self.makeMessages()
        add("1", 1, to: &messages)
        add("2", 2, to: &messages)
        messages.connected(isResumed: true, at: self.now) { $0.sequence < 2 }
        #expect(messages.allClaimed() == ["1"])
    }

    @Test("Time without a connection does not count")
    func outage() {
        var messages = self.makeMessages()
        add("1", 1, .exactlyOnce, to: &messages)
        messages.connectionLost()
        #expect(messages.deadline == nil)
        #expect(messages.timePassed(.start + .seconds(60)).isEmpty)
        messages.connected(isResumed: true, at: .start + .seconds(60)) { _ in false }
        #expect(messages.deadline == .start + .seconds(70))
    }

    @discardableResult
    private func add(
        _ message: String, on topic: TopicName = "a", size: Int = 1, _ sequence: UInt64, _ qos: QoS = .atLeastOnce,
        to messages: inout UnclaimedMessages<String>
    ) -> [DeliveryToken] {
        messages.unclaimed(message, on: topic, size: size, self.token(sequence, qos), at: self.now)
    }
}

import CurlewCore
import NIOCore
import Testing

@testable import Curlew

@Suite("A queue that spares messages to be acknowledged")
struct MessageQueueSparingTests {
    private func makeQueue(count: Int, bytes: Int = 1000) -> MessageQueue {
        var settings = MQTTConfiguration.SubscriptionQueue(count: count, bytes: bytes)
        settings.sparesAcknowledged = true
        return MessageQueue(settings)
    }

    private func message(_ text: String, isAcknowledged: Bool) throws -> MQTTMessage {
        var session = ClientSession(.init())
        var out = ByteBuffer()
        _ = session.connected(
            ConnAck(), to: Connect(version: .v5_0, clientIdentifier: "c"), server: "s", now: .start, into: &out)
        let packet = Publish(
            topic: try TopicName("t"), payload: ByteBuffer(string: text),
            qos: isAcknowledged ? .atLeastOnce : .atMostOnce,
            packetID: isAcknowledged ? PacketID(1) : nil)
        guard case .message(let publish, _, let token) = session.received(.publish(packet), now: .start, into: &out),
            let message = MQTTMessage(publish, token: token, now: .start)
        else { throw CancellationError() }
        return message
    }

    @Test("When the queue is full, QoS 0 messages are dropped; QoS 1 and 2 messages stay")
    func sparing() throws {
        var queue = self.makeQueue(count: 2)
        var dropped: [MQTTMessage] = []
        for (text, isAcknowledged) in [("0", false), ("1", true), ("2", true), ("3", true), ("4", false)] {
            _ = queue.append(try self.message(text, isAcknowledged: isAcknowledged), dropped: &dropped)
        }
        #expect(dropped.map(\.text) == ["0", "4"] && queue.droppedCount == 2)
        var left: [String] = []
        while let message = queue.popNext() { left.append(message.text) }
        #expect(left == ["1", "2", "3"])
    }

    @Test("A message larger than the whole queue is kept if it is to be acknowledged, and refused otherwise")
    func large() throws {
        var queue = self.makeQueue(count: 2, bytes: 10)
        var dropped: [MQTTMessage] = []
        let large = String(repeating: "x", count: 20)
        #expect(queue.append(try self.message(large, isAcknowledged: true), dropped: &dropped) == .queued)
        #expect(queue.append(try self.message(large, isAcknowledged: false), dropped: &dropped) == .refused)
        #expect(dropped.count == 1)
    }
}

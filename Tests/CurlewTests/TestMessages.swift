import CurlewCore
import NIOCore

@testable import Curlew

/// Messages of a chosen size, topic and payload together; at least the size of the topic.
enum TestMessages {
    static func make(topic: String, byteCount: Int, qos: QoS = .atMostOnce) -> MQTTMessage {
        MQTTMessage(
            topic: TopicName(unchecked: topic),
            payload: ByteBuffer(repeating: 0, count: byteCount - topic.utf8.count), qos: qos)
    }
}

import CurlewCore
import NIOCore

@testable import Curlew

/// Messages of a size that the test chooses, topic and payload together; no smaller than the topic.
enum TestMessages {
    static func make(topic: String, byteCount: Int, qos: QoS = .atMostOnce) -> MQTTMessage {
        MQTTMessage(
            topic: TopicName(unchecked: topic),
            payload: ByteBuffer(repeating: 0, count: byteCount - topic.utf8.count), qos: qos)
    }
}

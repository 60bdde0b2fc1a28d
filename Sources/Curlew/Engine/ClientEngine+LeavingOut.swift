import CoreMetrics
import CurlewCore
import Logging
import NIOCore
import Synchronization

// Messages that are larger than `session.maximumPacketSize`, or have more properties than the client accepts.
//
// MQTT has no way to announce the limit on properties, nor, before 5.0, the limit on size. If such a message ended the
// connection, the server would send it again on the next one, and all later messages would wait forever. Therefore the
// client skips the message while it arrives, without storing it, and acknowledges it; on 5.0 with the reason code 0x83.
//
// A 5.0 server that exceeds the announced size violates the protocol. The client sends DISCONNECT with the reason code
// 0x95 (section 3.1.2.11.4), but only once: on later connections it skips messages that are too large.
extension ClientEngine {
    func excessLeftOut(_ version: ProtocolVersion) -> PacketDecoder.Excess {
        guard version >= .v5_0 else { return .bytes }
        return self.state.withLock { $0.connection.leavesOutLargePublishes } ? [.bytes, .properties] : .properties
    }

    func leaveOutLargePublishes() { self.state.withLock { $0.connection.leavesOutLargePublishes = true } }

    func process(_ skipped: PacketDecoder.SkippedPublish) -> ConnectionEvent? {
        var event: ConnectionEvent?
        var missed: (packet: Publish, receivers: [any MessageReceiver])?
        self.state.withLock { state in
            let before = state.output.byteCount
            switch state.session.receivedSkipped(skipped.publish, into: &state.output.bytes) {
            case .message(let packet, let subscribers, _):
                missed = (packet, subscribers.compactMap { state.receivers[$0] })
                state.tally.statistics.messagesReceived += 1
                state.tally.statistics.messagesDropped += 1
            case .violation(let code, let message): event = .violation(code, message)
            case .nothing, .pong, .authenticate, .disconnected, .deviation: break
            }
            state.output.countAnswers(since: before)
            state.output.flushesAfterRead()
        }
        guard let missed, let message = MQTTMessage(missed.packet, token: nil, now: .start) else { return event }
        let error =
            skipped.excess.contains(.properties)
            ? MQTTError.tooManyProperties(message.topic)
            : .tooLarge(
                message.topic, size: skipped.size, maximum: self.configuration.session.maximumPacketSize,
                code: .packetTooLarge)
        for receiver in missed.receivers { receiver.miss(message, error) }
        self.meters.received.increment(by: 1)
        self.meters.dropped.increment(by: 1)
        self.logger.warning("message left out", metadata: ["topic": "\(message.topic)", "error": "\(error)"])
        self.events.post(.messageSkipped(topic: message.topic, error))
        return event
    }
}

extension MQTTError {
    /// A received message is larger than the configuration allows.
    static func tooLarge(_ topic: TopicName?, size: Int, maximum: Int, code: Code) -> Self {
        Self(
            code,
            "A message\(topic.map { " on the topic \"\($0)\"" } ?? "") has \(size) bytes, "
                + "and this client accepts at most \(maximum): raise `session.maximumPacketSize`.")
    }

    /// A received message has more properties than the client accepts. They are limited because each takes far more
    /// memory than bytes on the wire.
    static func tooManyProperties(_ topic: TopicName) -> Self {
        Self(
            .packetTooLarge,
            "A message on the topic \"\(topic)\" has more than \(Properties.maximumCount) properties.")
    }
}

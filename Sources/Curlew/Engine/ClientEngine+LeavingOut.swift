import CoreMetrics
import CurlewCore
import Logging
import NIOCore
import Synchronization

// Messages that have more bytes than `session.maximumPacketSize`, or more properties than the client takes.
//
// A server cannot be told of the latter, nor of the former before 5.0. If such a message ended the connection, it would do so
// again on the next one, for ever, and all behind it would wait: it is left out instead, as it streams by, and acknowledged. On
// 5.0 a server that was told of the size and exceeds it breaks the protocol, which is answered with DISCONNECT and the reason code
// 0x95 (section 3.1.2.11.4), but once: from then on what is too large is left out there, too, and acknowledged with the reason
// code 0x83.
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
            case .deliver(let packet, let subscribers, _):
                missed = (packet, subscribers.compactMap { state.receivers[$0] })
                state.tally.statistics.received += 1
                state.tally.statistics.dropped += 1
            case .violation(let code, let message): event = .violation(code, message)
            case .nothing, .pong, .authenticate, .disconnected, .deviation: break
            }
            state.output.countAnswers(since: before)
            state.output.flushesAfterRead()
        }
        guard let missed, let message = MQTTMessage(missed.packet, token: nil) else { return event }
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
        self.events.post(.messageLeftOut(topic: message.topic, error))
        return event
    }
}

extension MQTTError {
    /// A message of the server is larger than the configuration allows.
    static func tooLarge(_ topic: TopicName?, size: Int, maximum: Int, code: Code) -> Self {
        Self(
            code,
            "A message\(topic.map { " on the topic \"\($0)\"" } ?? "") has \(size) bytes, and this client accepts \(maximum): "
                + "raise `session.maximumPacketSize`.")
    }

    /// A message has more properties than a client takes: each needs many times its bytes in memory.
    static func tooManyProperties(_ topic: TopicName) -> Self {
        Self(
            .packetTooLarge,
            "A message on the topic \"\(topic)\" has more than the \(Properties.maximumCount) properties that a client accepts."
        )
    }
}

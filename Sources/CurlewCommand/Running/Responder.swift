#if Tools
import Curlew
import CurlewCore
import NIOCore
import Synchronization

/// Replies to requests.
struct Responder: Sendable {
    /// Where replies come from.
    enum Answer: Sendable {
        case fixed(ByteBuffer)
        /// A format that is filled in from the request.
        case template(MessageFormat)
        /// A shell command that reads the request and writes the reply.
        case command(String)
    }

    /// The maximum number of commands that run at once.
    private static let concurrency = 16

    let answer: Answer
    /// The topic for replies to requests without a response topic.
    let responseTopic: TopicName?
    /// The properties of each reply.
    let properties: Properties
    /// Prints each request, with -v.
    var writer: MessageWriter?

    func answer(_ requests: Messages, count: Int, _ client: MQTTClient) async throws {
        let begun = Begun()
        do { try await self.answerAll(requests, count: count, client, begun) } catch  where Task.isCancelled {
            let unanswered = begun.count.load(ordering: .relaxed)
            // The user ended the command, so this is not a failure.
            if unanswered > 0 { Diagnostics.say("\(unanswered.counted("request")) received but not answered.") }
            throw error
        }
    }

    /// The number of requests that were received and not answered yet.
    private final class Begun: Sendable {
        let count = Atomic(0)
    }

    private func answerAll(
        _ requests: Messages, count: Int, _ client: MQTTClient, _ begun: Begun
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var (left, running) = (count, 0)
            var writer = self.writer
            let subscription = requests.subscription
            while left > 0, let request = try await requests.next() {
                left -= 1
                begun.count.add(1, ordering: .relaxed)
                if writer != nil {
                    var bytes: [UInt8] = []
                    writer?.write(request, to: &bytes)
                    try Descriptor.standardOutput.writeAll(bytes)
                }
                guard case .command = self.answer else {
                    try await self.respond(to: request, of: subscription, client)
                    begun.count.subtract(1, ordering: .relaxed)
                    continue
                }
                if running == Self.concurrency {
                    try await group.next()
                    running -= 1
                }
                running += 1
                group.addTask {
                    try await self.respond(to: request, of: subscription, client)
                    begun.count.subtract(1, ordering: .relaxed)
                }
            }
            try await group.waitForAll()
            if Task.isCancelled, left > 0, count < .max {
                throw CommandFailure("\(count - left) of \(count.counted("request")) received.")
            }
        }
    }

    private func respond(to request: MQTTMessage, of requests: MQTTSubscription, _ client: MQTTClient) async throws {
        var properties = self.properties
        properties.correlationData = request.properties.correlationData
        let reply = try await self.reply(to: request, &properties)
        if let topic = request.properties.responseTopic ?? self.responseTopic?.string {
            do {
                try await client.publish(reply, to: topic, qos: request.qos, properties: properties)
            } catch {
                let error = MQTTError(of: error)
                // The requester may have named an invalid or forbidden response topic, or the reply may be too large.
                // The next request may be fine.
                switch error.code {
                case .invalidTopic, .publishRefused, .packetTooLarge, .invalidArgument, .timedOut,
                    .packetAbandoned:
                    break
                default: throw error
                }
                Diagnostics.say(
                    "The reply to a request on '\(request.topic)' was not sent: \(error.sentence)")
            }
        } else {
            Diagnostics.say(
                "A request on '\(request.topic)' has no response topic; set one for such requests with -e.")
        }
        // Acknowledge only now, so that the broker sends an unanswered request again after a crash.
        requests.acknowledge(own: request)
    }

    private func reply(to request: MQTTMessage, _ properties: inout Properties) async throws -> ByteBuffer {
        switch self.answer {
        case .fixed(let payload): return payload
        case .template(let format):
            var bytes: [UInt8] = []
            if !format.write(request, at: .now, .init(), to: &bytes) {
                properties[MQTTMessage.replyErrorProperty] = "The request is not JSON."
                return ByteBuffer()
            }
            return ByteBuffer(bytes: bytes)
        case .command(let command):
            do throws(ShellCommand.Problem) {
                return ByteBuffer(
                    bytes: try await ShellCommand.run(
                        command, input: request.bytes, environment: ["REQUEST_TOPIC": request.topic.string]))
            } catch {
                if case .cancelled = error { throw CancellationError() }
                Diagnostics.say("The command for a request on '\(request.topic)' failed: \(error).")
                properties[MQTTMessage.replyErrorProperty] = "\(error)"
                return ByteBuffer()
            }
        }
    }
}
#endif

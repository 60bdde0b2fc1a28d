#if Tools
    import Curlew
    import CurlewCore
    import NIOCore

    /// A request of `curlew request`, and how its replies are told from all else.
    struct Question: Sendable {
        let topic: TopicName
        /// Where the replies come; `nil` for a topic of the client's own.
        let responseTopic: TopicName?
        let qos: QoS
        let properties: Properties
        /// Whether to take whatever comes on the response topic, as mosquitto's command does.
        let takesAnything: Bool

        /// Connects and sends the request.
        func ask(_ payload: ByteBuffer, in conversation: Conversation) async throws -> Replies {
            guard let responseTopic else {
                try await conversation.connect()
                // -W bounds the whole command, and nothing bounds it without.
                let replies = try await conversation.client.replies(
                    to: payload, on: self.topic.string, qos: self.qos, properties: self.properties,
                    timeout: .seconds(SecondsArgument.longest))
                return Replies { [iterator = Box(replies.makeAsyncIterator())] in try await iterator.value.next() }
            }
            let filter = try Topics.filters([responseTopic.string])
            let messages = try await conversation.subscribe(to: filter, SubscriptionOptions(qos: self.qos))
            var properties = self.properties
            if properties.responseTopic == nil { properties.responseTopic = responseTopic.string }
            if properties.correlationData == nil, !self.takesAnything {
                properties.correlationData = .random()
            }
            let client = conversation.client
            let code = try await client.publish(
                payload, to: self.topic.string, qos: self.qos, properties: properties)
            guard code != .noMatchingSubscribers || self.takesAnything else {
                throw Failure("Nobody has subscribed to '\(self.topic)'; start the responder first.")
            }
            return Replies { [correlation = properties.correlationData] in
                while let message = try await messages.next() {
                    client.acknowledge(message)
                    if self.accepts(message, correlation) { return message }
                }
                return nil
            }
        }

        /// A reply has the correlation data of its request. A responder that knows none, as before MQTT 5, is believed.
        private func accepts(_ message: MQTTMessage, _ correlation: ByteBuffer?) -> Bool {
            guard !self.takesAnything else { return true }
            // What the server had kept there answers nothing.
            guard !message.isRetained else { return false }
            return message.properties.correlationData.map { $0 == correlation } ?? true
        }
    }

    /// The replies to a request, one after the other.
    struct Replies {
        /// `nil` at the end.
        let next: () async throws -> MQTTMessage?

        init(_ next: @escaping () async throws -> MQTTMessage?) { self.next = next }
    }

    /// Keeps an iterator where a closure can move it on.
    private final class Box<Value> {
        var value: Value
        init(_ value: Value) { self.value = value }
    }

    extension ByteBuffer {
        /// Sixteen bytes that no other request has.
        fileprivate static func random() -> ByteBuffer {
            var buffer = ByteBuffer()
            buffer.writeMultipleIntegers(UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max))
            return buffer
        }
    }
#endif

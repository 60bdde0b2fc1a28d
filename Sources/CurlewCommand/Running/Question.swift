#if Tools
import Curlew
import CurlewCore
import NIOCore

/// A request of `curlew request`, and how its replies are recognized.
struct Question: Sendable {
    let topic: TopicName
    /// The response topic; `nil` for one that the client creates.
    let responseTopic: TopicName?
    let qos: QoS
    let properties: Properties
    /// Whether every message on the response topic is a reply, as in mosquitto's command.
    let takesAnything: Bool
    /// How long to wait for replies; `nil` for no limit.
    var timeout: Duration?

    /// Connects and sends the request.
    func ask(_ payload: ByteBuffer, in conversation: Conversation) async throws -> Replies {
        if self.takesAnything, let responseTopic {
            return try await self.ask(payload, listeningTo: responseTopic, in: conversation)
        }
        try await conversation.connect()
        let replies = try await conversation.client.replies(
            payload, to: self.topic.string, qos: self.qos, properties: self.properties,
            responseTopic: self.responseTopic?.string, timeout: self.timeout ?? .seconds(SecondsArgument.longest))
        return Replies {
            var iterator = replies.makeAsyncIterator()
            return try await iterator.next()
        }
    }

    private func ask(
        _ payload: ByteBuffer, listeningTo responseTopic: TopicName, in conversation: Conversation
    ) async throws -> Replies {
        let filter = try Topics.filters([responseTopic.string])
        let messages = try await conversation.subscribe(to: filter, SubscriptionOptions(qos: self.qos))
        var properties = self.properties
        if properties.responseTopic == nil { properties.responseTopic = responseTopic.string }
        let client = conversation.client
        try await client.publish(payload, to: self.topic.string, qos: self.qos, properties: properties)
        return Replies {
            let message = try await messages.next()
            if let message { messages.subscription.acknowledge(own: message) }
            return message
        }
    }
}

/// The replies to a request.
struct Replies {
    /// `nil` at the end.
    let next: () async throws -> MQTTMessage?

    init(_ next: @escaping () async throws -> MQTTMessage?) { self.next = next }
}
#endif

public import CurlewCore
import NIOCore
import Synchronization

// What the embedding program can inspect and do.
extension MQTTBroker {
    /// The clients that are connected, in no particular order.
    public nonisolated var clients: [MQTTBrokerClient] {
        self.engine.sessions.all.compactMap { session in
            session.state.withLock { $0.connection == nil ? nil : $0.client }
        }
    }

    /// One session, connected or not.
    public struct SessionInfo: Sendable, Hashable {
        /// The client, as it last connected.
        public let client: MQTTBrokerClient
        /// Whether the client is connected.
        public let isConnected: Bool
        /// The topic filters of its subscriptions.
        public let subscriptions: [TopicFilter]
        /// How many messages wait in its queue.
        public let queuedMessages: Int
        /// How many bytes these messages take.
        public let queuedBytes: Int
        /// How many messages are in flight: sent, and not acknowledged.
        public let messagesInFlight: Int
    }

    /// All sessions, in no particular order.
    public nonisolated var sessions: [SessionInfo] {
        self.engine.sessions.all.map { session in
            session.state.withLock { state in
                SessionInfo(
                    client: state.client, isConnected: state.connection != nil,
                    subscriptions: Array(state.subscriptions.keys),
                    queuedMessages: state.session.queuedMessages, queuedBytes: state.session.queuedBytes,
                    messagesInFlight: state.session.messagesInFlight)
            }
        }
    }

    /// The retained messages whose topics match a filter, in no particular order.
    ///
    /// - Parameters:
    ///   - filter: A topic filter. Default: all topics but those that begin with `$`.
    ///   - maximum: The maximum number of messages to return. Default: 1,000.
    /// - Throws: ``MQTTBrokerError`` when the filter is not well-formed.
    public nonisolated func retained(
        matching filter: String = "#", maximum: Int = 1000
    ) throws(MQTTBrokerError) -> [MQTTBrokerMessage] {
        let topicFilter: TopicFilter
        do { topicFilter = try TopicFilter(filter) } catch {
            throw MQTTBrokerError(.invalidTopic, "\(error)", cause: error)
        }
        let now = self.engine.clock.now()
        var cursor = self.engine.retained.withLock { $0.matching(topicFilter) }
        var messages: [MQTTBrokerMessage] = []
        var steps = Int.max
        while messages.count < maximum, let entry = cursor.next(steps: &steps) {
            let message = entry.message
            guard !message.isExpired(at: now) else { continue }
            messages.append(
                MQTTBrokerMessage(
                    topic: message.topic, payload: message.payload, qos: message.qos, retain: true,
                    properties: message.properties))
        }
        return messages
    }

    /// Disconnects a client. What the client has sent by now is processed first; its session is kept as the client has
    /// requested.
    ///
    /// - Parameters:
    ///   - clientIdentifier: The client to disconnect.
    ///   - reason: The reason code sent to the client. Default: *administrative action*.
    /// - Returns: Whether the client was connected.
    @discardableResult
    public nonisolated func disconnect(
        _ clientIdentifier: String, reason: ReasonCode = .administrativeAction
    ) -> Bool {
        guard let session = self.engine.sessions[clientIdentifier],
            let connection = session.state.withLock({ $0.connection })
        else { return false }
        connection.execute { $0.settleAndClose(reason, "The server's administrator has closed the connection.") }
        return true
    }

    /// What the broker has counted since its start.
    public typealias Statistics = MQTTBrokerStatistics

    /// What the broker has counted since its start.
    public nonisolated var statistics: Statistics { self.engine.statistics(of: self.workers.all) }
}

public import CurlewCore
import NIOCore
import Synchronization

// What the program that embeds the broker can see and do.
extension MQTTBroker {
    /// The clients that are connected, in no particular order.
    public nonisolated var clients: [MQTTBrokerClient] {
        self.engine.sessions.all.compactMap { session in
            session.state.withLock { $0.connection == nil ? nil : $0.client }
        }
    }

    /// One session, connected or not.
    public struct SessionInfo: Sendable, Hashable {
        /// Whose it is: the client as it was connected last.
        public let client: MQTTBrokerClient
        /// Whether the client is connected.
        public let isConnected: Bool
        /// What the client has subscribed to.
        public let subscriptions: [TopicFilter]
        /// How many messages wait for the client.
        public let queuedMessages: Int
        /// How many bytes these take.
        public let queuedBytes: Int
        /// How many messages are on their way and not acknowledged.
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
    ///   - maximum: How many to return at the most. Default: 1,000.
    /// - Throws: ``MQTTBrokerError`` when the filter is not well-formed.
    public nonisolated func retained(
        matching filter: String = "#", maximum: Int = 1000
    ) throws(MQTTBrokerError) -> [MQTTBrokerMessage] {
        let topicFilter: TopicFilter
        do { topicFilter = try TopicFilter(filter) } catch {
            throw MQTTBrokerError(.invalidArgument, "\(error)", cause: error)
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

    /// Disconnects a client; its session stays as the client has asked for. What the client has sent by now counts first.
    ///
    /// - Parameters:
    ///   - clientIdentifier: The client.
    ///   - reason: What the client is told. Default: *administrative action*.
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

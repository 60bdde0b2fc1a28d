/// The topics of the aliases in the peer's PUBLISH packets (MQTT 5.0 section 3.3.2.3.4). Lives as long as the
/// connection.
///
/// Grows with the aliases that the peer uses, up to the maximum. A hostile peer can make it keep `maximum` topics
/// of 65,535 bytes, which should be considered when choosing the maximum to offer.
package struct IncomingTopicAliases: Sendable {
    /// A fault of the peer, which ends the connection.
    package enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
        /// The alias is 0 or above the announced maximum.
        case outOfRange(UInt16, maximum: UInt16)
        /// The topic is empty and the alias was not introduced on this connection.
        case unknown(UInt16)
        /// The topic is empty and there is no alias.
        case noTopic

        package var reasonCode: ReasonCode {
            switch self {
            case .outOfRange: .topicAliasInvalid
            case .unknown, .noTopic: .protocolError
            }
        }

        package var description: String {
            switch self {
            case .outOfRange(let alias, maximum: 0):
                "The peer sent topic alias \(alias), but was not allowed any."
            case .outOfRange(let alias, let maximum):
                "The peer sent topic alias \(alias), but only 1 to \(maximum) are allowed."
            case .unknown(let alias):
                "The peer sent topic alias \(alias) without a topic, but did not introduce that alias on this connection."
            case .noTopic:
                "The peer sent a message with neither a topic nor a topic alias."
            }
        }
    }

    /// The highest alias allowed, as announced in CONNECT or CONNACK; 0 allows none.
    package private(set) var maximum: UInt16

    /// The topic of alias n at n - 1.
    private var topics: [TopicName?] = []
    /// The approximate size of the topics.
    package private(set) var byteCount = 0

    package init(maximum: UInt16 = 0) { self.maximum = maximum }

    /// Forgets all aliases, since none outlives its connection [MQTT-3.3.2-7].
    package mutating func reset(maximum: UInt16) { self = Self(maximum: maximum) }

    /// The topic of a PUBLISH packet. If it has both topic and alias, the alias stands for this topic from now on.
    package mutating func resolve(_ topic: TopicName?, alias: UInt16?) throws(Failure) -> TopicName {
        guard let alias else {
            guard let topic else { throw .noTopic }
            return topic
        }
        // [MQTT-3.3.2-8], [MQTT-3.3.2-10]
        guard alias > 0, alias <= self.maximum else { throw .outOfRange(alias, maximum: self.maximum) }
        let index = Int(alias) - 1
        guard let topic else {
            guard index < self.topics.count, let known = self.topics[index] else { throw .unknown(alias) }
            return known
        }
        while self.topics.count <= index { self.topics.append(nil) }
        self.byteCount += topic.string.utf8.count - (self.topics[index]?.string.utf8.count ?? 0)
        self.topics[index] = topic
        return topic
    }
}

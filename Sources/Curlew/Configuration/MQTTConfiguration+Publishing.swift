public import CurlewCore

extension MQTTConfiguration {
    /// The QoS and the retain flag of messages that are published without them.
    ///
    /// ```swift
    /// configuration.publishing.qos = .atLeastOnce
    /// configuration.publishing.topics = [.init("alarms/#", qos: .exactlyOnce, retain: true)]
    /// ```
    public struct Publishing: Sendable, Hashable {
        /// The QoS. Default: at most once.
        public var qos = QoS.atMostOnce
        /// Whether the broker stores the message for later subscribers. Default: `false`.
        public var retain = false
        /// Other defaults for some topics; the first that matches a topic counts. Default: none.
        public var topics: [Topic] = []

        /// All defaults.
        public init() {}

        /// The defaults for some topics.
        public struct Topic: Sendable, Hashable {
            /// The topic filter.
            public var filter: String
            /// The QoS; `nil` for ``Publishing/qos``.
            public var qos: QoS?
            /// Whether the broker stores the message; `nil` for ``Publishing/retain``.
            public var retain: Bool?

            /// Creates defaults.
            ///
            /// - Parameters:
            ///   - filter: The topic filter.
            ///   - qos: The QoS. Default: `nil`, ``Publishing/qos``.
            ///   - retain: Whether the broker stores the message. Default: `nil`, ``Publishing/retain``.
            public init(_ filter: String, qos: QoS? = nil, retain: Bool? = nil) {
                self.filter = filter
                self.qos = qos
                self.retain = retain
            }
        }
    }
}

/// ``MQTTConfiguration/Publishing`` with parsed topic filters.
struct PublishDefaults: Sendable {
    private let general: MQTTConfiguration.Publishing
    private let topics: [(filter: TopicFilter, values: MQTTConfiguration.Publishing.Topic)]

    init(_ configuration: MQTTConfiguration.Publishing) throws(MQTTError) {
        self.general = configuration
        var topics: [(TopicFilter, MQTTConfiguration.Publishing.Topic)] = []
        for values in configuration.topics {
            do throws(TopicError) { topics.append((try TopicFilter(values.filter), values)) } catch {
                throw MQTTError(
                    .invalidConfiguration, "The topic filter of a default for publishing is not valid: \(error)",
                    cause: error)
            }
        }
        self.topics = topics
    }

    /// The QoS and the retain flag of a message to a topic for which the caller named these.
    func values(for topic: TopicName, _ qos: QoS?, _ retain: Bool?) -> (qos: QoS, retain: Bool) {
        if let qos, let retain { return (qos, retain) }
        let special = self.topics.isEmpty ? nil : self.topics.first { $0.filter.matches(topic) }?.values
        return (qos ?? special?.qos ?? self.general.qos, retain ?? special?.retain ?? self.general.retain)
    }
}

public import CurlewCore
import NIOCore

extension MQTTConfiguration {
    /// Limits that a hosted service documents but does not announce in CONNACK. The client checks them before it sends
    /// anything, because such services often end the connection instead of answering.
    ///
    /// A message that exceeds them throws `.notSupportedByServer` (QoS), `.packetTooLarge` or `.invalidTopic`; a
    /// subscription throws `.invalidTopic`; settings of CONNECT and the will throw `.invalidConfiguration`. Presets such
    /// as `awsIoT` set them. What a CONNACK says is respected without them.
    public struct ServiceLimits: Sendable, Hashable {
        /// The name of the service in error messages. Default: "The service".
        public var serviceName = "The service"
        /// The highest QoS to publish with; subscriptions ask for no more than it. Default: 2.
        public var maximumQoS: QoS = .exactlyOnce
        /// The maximum size of a payload in bytes. Default: `nil`, no limit.
        public var maximumPayloadSize: Int?
        /// The maximum length of a topic name or topic filter in bytes of UTF-8. Default: `nil`, no limit.
        public var maximumTopicLength: Int?
        /// The maximum number of slashes in a topic name or topic filter. Default: `nil`, no limit.
        public var maximumTopicSlashes: Int?
        /// The maximum length of the client identifier in bytes of UTF-8. Default: `nil`, no limit.
        public var maximumClientIdentifierLength: Int?
        /// The keep-alive intervals that the service permits. Default: `nil`, all.
        public var keepAlive: ClosedRange<Duration>?
        /// The maximum number of PUBLISH packets in any second, 1…1,000,000; repeated ones count. Messages above the rate
        /// wait in the outbox, where its limits and the timeouts apply. Packets are counted when they are encoded, so
        /// after a pause of the network more may arrive in a second: choose a lower number than a strict service permits.
        /// Default: `nil`, no limit.
        public var publishesPerSecond: Int?
        /// The beginning of topics whose first levels do not count, and how many these are.
        package var uncountedLevels: (prefix: String, count: Int)? {
            get { self.uncounted.map { ($0.prefix, $0.count) } }
            set { self.uncounted = newValue.map { Uncounted(prefix: $0.prefix, count: $0.count) } }
        }
        private var uncounted: Uncounted?

        private struct Uncounted: Hashable {
            let prefix: String
            let count: Int
        }

        /// No limits.
        public init() {}
    }
}

// MARK: - Checking

extension MQTTConfiguration.ServiceLimits {
    /// Throws if the service does not accept a message.
    func check(_ topic: TopicName, payload: ByteBuffer, _ qos: QoS) throws(MQTTError) {
        if qos > self.maximumQoS {
            throw self.refusal(
                .notSupportedByServer,
                "accepts no messages above QoS \(self.maximumQoS.rawValue); publish at QoS \(self.maximumQoS.rawValue)")
        }
        if let maximumPayloadSize, payload.readableBytes > maximumPayloadSize {
            throw self.refusal(
                .packetTooLarge,
                "accepts payloads of at most \(maximumPayloadSize) bytes, and this one has \(payload.readableBytes)")
        }
        if let excess = self.excess(of: topic.string) { throw self.refusal(.invalidTopic, excess) }
    }

    /// Throws if the service does not accept a subscription.
    func check(_ filter: TopicFilter) throws(MQTTError) {
        if let excess = self.excess(of: filter.filter) { throw self.refusal(.invalidTopic, excess) }
    }

    /// The options for a SUBSCRIBE: its QoS is a maximum anyway, so a lower one is no surprise.
    func capped(_ options: SubscriptionOptions) -> SubscriptionOptions {
        var options = options
        options.qos = min(options.qos, self.maximumQoS)
        return options
    }

    private func refusal(_ code: MQTTError.Code, _ predicate: String) -> MQTTError {
        MQTTError(code, "\(self.serviceName) \(predicate).", delivery: .notSent)
    }

    /// What is too much about a topic name or filter.
    package func excess(of topic: String) -> String? {
        let counted = self.counted(topic)
        if let maximumTopicLength, counted.count > maximumTopicLength {
            return "accepts topics of at most \(maximumTopicLength) bytes, and this one has \(counted.count)"
        }
        let slashes = self.maximumTopicSlashes == nil ? 0 : counted.count { $0 == UInt8(ascii: "/") }
        if let maximumTopicSlashes, slashes > maximumTopicSlashes {
            return "accepts at most \(maximumTopicSlashes) slashes in a topic, and \"\(topic)\" has \(slashes)"
        }
        return nil
    }

    /// The part of a topic that counts.
    private func counted(_ topic: String) -> Substring.UTF8View {
        var rest = topic.utf8[...]
        guard let uncounted, rest.starts(with: uncounted.prefix.utf8) else { return rest }
        for _ in 0..<uncounted.count {
            guard let slash = rest.firstIndex(of: UInt8(ascii: "/")) else { break }
            rest = rest[rest.index(after: slash)...]
        }
        return rest
    }

    /// Throws if the service does not accept what the configuration says in CONNECT.
    func check(_ configuration: MQTTConfiguration) throws(MQTTError) {
        if let publishesPerSecond, !(1...1_000_000).contains(publishesPerSecond) {
            throw MQTTError(
                .invalidConfiguration,
                "`serviceLimits.publishesPerSecond` is \(publishesPerSecond); it must be from 1 to 1000000, or nil.")
        }
        let length = configuration.clientIdentifier.length
        if let maximumClientIdentifierLength, let length, length > maximumClientIdentifierLength {
            throw MQTTError(
                .invalidConfiguration,
                "\(self.serviceName) accepts client identifiers of at most \(maximumClientIdentifierLength) bytes, and this "
                    + "one has \(length).")
        }
        let interval = configuration.connection.keepAlive
        if let keepAlive, !keepAlive.contains(interval) {
            throw MQTTError(
                .invalidConfiguration,
                "\(self.serviceName) accepts keep-alive intervals from \(keepAlive.lowerBound) to "
                    + "\(keepAlive.upperBound), and `connection.keepAlive` is \(interval).")
        }
        guard let will = configuration.will, let topic = try? TopicName(will.topic) else { return }
        do throws(MQTTError) { try self.check(topic, payload: will.payload, will.qos) } catch {
            throw MQTTError(.invalidConfiguration, "The will cannot be used: \(error.message)", cause: error)
        }
    }
}

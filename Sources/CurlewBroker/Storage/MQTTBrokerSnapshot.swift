public import CurlewCore

/// Everything that a store keeps of a broker: the session state of MQTT 5.0 section 4.1, and retained messages.
///
/// Times are durations since the beginning of 1970 in UTC.
public struct MQTTBrokerSnapshot: Sendable, Hashable {
    /// Sessions by client identifier, compared byte by byte.
    public var sessions: [ExactText: Session] = [:]
    /// Retained messages by topic.
    public var retained: [TopicName: Retained] = [:]

    /// Creates an empty snapshot.
    public init() {}

    /// A message, which may wait for several clients.
    public struct Message: Sendable, Hashable {
        /// Identifies the message for all clients that it waits for, so that a store can keep its content once.
        public var number: UInt64
        /// Topic, payload and properties, as it was published.
        public var content: MQTTBrokerMessage
        /// When it expires; `nil` for never.
        public var expiresAt: Duration?

        /// Creates one from its parts.
        public init(number: UInt64, content: MQTTBrokerMessage, expiresAt: Duration? = nil) {
            self.number = number
            self.content = content
            self.expiresAt = expiresAt
        }
    }

    /// A retained message, and who published it.
    public struct Retained: Sendable, Hashable {
        /// The message.
        public var message: Message
        /// The client identifier of its publisher; `nil` for the program that embeds the broker.
        public var clientIdentifier: String?
        /// The user name of its publisher, if that had one.
        public var username: String?

        /// Creates one from its parts.
        public init(_ message: Message, clientIdentifier: String? = nil, username: String? = nil) {
            self.message = message
            self.clientIdentifier = clientIdentifier
            self.username = username
        }
    }

    /// A subscription of a client.
    public struct Subscription: Sendable, Hashable {
        /// Its topic filter.
        public var filter: TopicFilter
        /// The QoS that was granted.
        public var qos: QoS
        /// Whether it leaves out what the client itself publishes.
        public var noLocal: Bool
        /// Whether messages keep the RETAIN that they were published with.
        public var retainAsPublished: Bool
        /// The subscription identifier, if it has one.
        public var identifier: UInt32?

        /// Creates one from its parts.
        public init(
            _ filter: TopicFilter, qos: QoS, noLocal: Bool = false, retainAsPublished: Bool = false,
            identifier: UInt32? = nil
        ) {
            self.filter = filter
            self.qos = qos
            self.noLocal = noLocal
            self.retainAsPublished = retainAsPublished
            self.identifier = identifier
        }
    }

    /// A message at QoS 1 or 2 on its way to a client.
    public struct Delivery: Sendable, Hashable {
        /// Identifies the message within the session. Messages are delivered in the order of their numbers.
        public var number: UInt64
        /// The message; `nil` once the client has received it and only the rest of the QoS 2 exchange is left.
        public var message: Message?
        /// The QoS that it is delivered at.
        public var qos: QoS
        /// The RETAIN that it is delivered with.
        public var retain: Bool
        /// The subscription identifiers that it is delivered with.
        public var subscriptionIdentifiers: [UInt32]
        /// The shared subscription that the client receives it by, if any.
        public var sharedSubscription: TopicFilter?
        /// The packet identifier; `nil` until the message is sent.
        public var packetID: PacketID?

        /// Creates one from its parts.
        public init(
            number: UInt64, message: Message?, qos: QoS, retain: Bool = false, subscriptionIdentifiers: [UInt32] = [],
            sharedSubscription: TopicFilter? = nil, packetID: PacketID? = nil
        ) {
            self.number = number
            self.message = message
            self.qos = qos
            self.retain = retain
            self.subscriptionIdentifiers = subscriptionIdentifiers
            self.sharedSubscription = sharedSubscription
            self.packetID = packetID
        }
    }

    /// The will of a client.
    public struct Will: Sendable, Hashable {
        /// The message to publish.
        public var message: MQTTBrokerMessage
        /// How long after the end of the connection to publish it.
        public var delay: Duration

        /// Creates one from its parts.
        public init(_ message: MQTTBrokerMessage, delay: Duration) {
            self.message = message
            self.delay = delay
        }
    }

    /// A session.
    public struct Session: Sendable, Hashable {
        /// The description of a session, without its subscriptions and messages.
        public struct About: Sendable, Hashable {
            /// The client, as it last connected.
            public var client: MQTTBrokerClient
            /// How long the session outlives its connection, in seconds. `UInt32.max`: forever. 0: not at all; then
            /// only its will is stored.
            public var expiryInterval: UInt32
            /// When the client disconnected; `nil` while it is connected, and after a crash.
            public var disconnectedAt: Duration?
            /// The will that is still to be published, if any.
            public var will: Will?

            /// Creates one from its parts.
            public init(
                _ client: MQTTBrokerClient, expiryInterval: UInt32, disconnectedAt: Duration? = nil, will: Will? = nil
            ) {
                self.client = client
                self.expiryInterval = expiryInterval
                self.disconnectedAt = disconnectedAt
                self.will = will
            }
        }

        /// The description of the session.
        public var about: About
        /// Subscriptions by filter.
        public var subscriptions: [TopicFilter: Subscription] = [:]
        /// Messages for the client by number.
        public var deliveries: [UInt64: Delivery] = [:]
        /// Packet identifiers of QoS 2 messages that were received from the client and not yet released.
        public var received: Set<PacketID> = []

        /// Creates a session without subscriptions and messages.
        public init(_ about: About) { self.about = about }
    }
}

extension MQTTBrokerSnapshot {
    /// Applies a change. A change of a session or message that does not exist is ignored.
    public mutating func apply(_ change: MQTTBrokerChange) {
        switch change {
        case .session(let about):
            self.sessions[ExactText(about.client.identifier), default: Session(about)].about = about
        case .sessionEnded(let client): self.sessions[ExactText(client)] = nil
        case .subscribed(let client, let subscription):
            self.sessions[ExactText(client)]?.subscriptions[subscription.filter] = subscription
        case .unsubscribed(let client, let filter): self.sessions[ExactText(client)]?.subscriptions[filter] = nil
        case .deliveryAdded(let client, let delivery):
            self.sessions[ExactText(client)]?.deliveries[delivery.number] = delivery
        case .deliverySent(let client, let number, let packetID):
            self.sessions[ExactText(client)]?.deliveries[number]?.packetID = packetID
        case .deliveryReceived(let client, let number):
            self.sessions[ExactText(client)]?.deliveries[number]?.message = nil
        case .deliveryRemoved(let client, let number): self.sessions[ExactText(client)]?.deliveries[number] = nil
        case .received(let client, let packetID): self.sessions[ExactText(client)]?.received.insert(packetID)
        case .released(let client, let packetID): self.sessions[ExactText(client)]?.received.remove(packetID)
        case .retained(let retained): self.retained[retained.message.content.topic] = retained
        case .retainedRemoved(let topic): self.retained[topic] = nil
        }
    }
}

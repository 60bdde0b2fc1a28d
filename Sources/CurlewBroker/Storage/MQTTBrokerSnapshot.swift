public import CurlewCore

/// All that a store keeps of a broker: the session state of MQTT 5.0 section 4.1, and retained messages.
///
/// Times are durations since the beginning of 1970 in UTC, for a broker's own clock ends with it.
public struct MQTTBrokerSnapshot: Sendable, Hashable {
    /// Sessions by client identifier, compared byte by byte.
    public var sessions: [ExactText: Session] = [:]
    /// Retained messages by topic.
    public var retained: [TopicName: Retained] = [:]

    /// Makes one that holds nothing.
    public init() {}

    /// A message, whoever it waits for.
    public struct Message: Sendable, Hashable {
        /// The same for all clients that the same message waits for, so that a store may keep its content once.
        public var number: UInt64
        /// Topic, payload and properties, as it was published.
        public var content: MQTTBrokerMessage
        /// When it expires; `nil` for never.
        public var expiresAt: Duration?

        /// Makes one of its parts.
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

        /// Makes one of its parts.
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

        /// Makes one of its parts.
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
        /// Tells it from the others of the session. Messages go to the client in the order of their numbers.
        public var number: UInt64
        /// `nil` once the client has received it, and only the end of its exchange at QoS 2 is left.
        public var message: Message?
        /// The QoS that it is delivered at.
        public var qos: QoS
        /// The RETAIN that it is delivered with.
        public var retain: Bool
        /// The subscription identifiers that it is delivered with.
        public var subscriptionIdentifiers: [UInt32]
        /// The shared subscription that it goes to the client by, if any.
        public var sharedSubscription: TopicFilter?
        /// `nil` while it waits to be sent.
        public var packetID: PacketID?

        /// Makes one of its parts.
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

    /// What the broker does in the name of a client that has gone.
    public struct Will: Sendable, Hashable {
        /// What is published.
        public var message: MQTTBrokerMessage
        /// How long after the end of the connection.
        public var delay: Duration

        /// Makes one of its parts.
        public init(_ message: MQTTBrokerMessage, delay: Duration) {
            self.message = message
            self.delay = delay
        }
    }

    /// A session.
    public struct Session: Sendable, Hashable {
        /// What is said of a session, without what it holds.
        public struct About: Sendable, Hashable {
            /// Whose it is, as the client was connected last.
            public var client: MQTTBrokerClient
            /// How long it outlives its connection, in seconds; `UInt32.max` for ever, 0 not at all: then it is kept for its will alone.
            public var expiryInterval: UInt32
            /// Since when the client is away; `nil` while it is connected, and after a crash.
            public var disconnectedAt: Duration?
            /// The will that is still to be published, if any.
            public var will: Will?

            /// Makes one of its parts.
            public init(
                _ client: MQTTBrokerClient, expiryInterval: UInt32, disconnectedAt: Duration? = nil, will: Will? = nil
            ) {
                self.client = client
                self.expiryInterval = expiryInterval
                self.disconnectedAt = disconnectedAt
                self.will = will
            }
        }

        /// What is said of it.
        public var about: About
        /// Subscriptions by filter.
        public var subscriptions: [TopicFilter: Subscription] = [:]
        /// Messages for the client by number.
        public var deliveries: [UInt64: Delivery] = [:]
        /// Packet identifiers of messages at QoS 2 that have come from the client and were not released.
        public var received: Set<PacketID> = []

        /// Makes one that holds nothing.
        public init(_ about: About) { self.about = about }
    }
}

extension MQTTBrokerSnapshot {
    /// Makes a change. One that is about a session or a message that there is not does nothing.
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

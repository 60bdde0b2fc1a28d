extension MQTTConfiguration {
    /// Limits of what waits to be sent and of what waits for consumers.
    public struct Queues: Sendable {
        /// The maximum number of bytes that the network has not accepted yet. Above it, `publish` suspends until they
        /// drain.
        /// Default: 1 MiB.
        public var unsentBytes: Int = 1 << 20

        /// The maximum number of messages that wait to be sent, not counting those that the broker's Receive Maximum
        /// allows in flight. Messages at QoS 0 wait while there is no connection, or above ``unsentBytes``. Calls that do
        /// not wait fail with the code `.queueFull` when the maximum is reached. Default: 65,536.
        public var outboxCount: Int = 65_536

        /// The maximum size of these messages together, in bytes, including those that are sent and not acknowledged.
        /// Default: 64 MiB.
        public var outboxBytes: Int = 64 << 20

        /// The queue of each subscription that does not specify its own.
        public var subscription = SubscriptionQueue()

        /// The queue of QoS 1 and 2 messages that no subscription has taken.
        public var unclaimed = UnclaimedQueue()

        /// All defaults.
        public init() {}
    }

    /// Holds QoS 1 and 2 messages, unacknowledged, until a subscription takes them.
    ///
    /// These are messages of a resumed session that arrive before the program subscribes, messages of subscriptions
    /// that the broker creates on its own, and messages that a subscription had not consumed when it ended. The next
    /// matching subscription gets them, in the order of arrival. A message that nobody takes within these limits is
    /// acknowledged and counted in ``MQTTClientStatistics/messagesUnrouted``. The log, as a warning, and
    /// ``MQTTEvent/messagesUnclaimed(topics:count:)`` name its topic.
    ///
    /// A waiting message delays the acknowledgements of all later ones. After one has waited in vain for `timeLimit`,
    /// later messages do not wait until the next connection.
    public struct UnclaimedQueue: Sendable, Hashable {
        /// The maximum number of waiting messages; above it, the oldest is released. Default: 10,000.
        public var count: Int = 10_000

        /// The maximum size of the waiting messages in bytes, including topics and properties; above it, the oldest is
        /// released. Default: 64 MiB.
        public var bytes: Int = 64 << 20

        /// How long a message waits. `.zero`: not at all. `nil`: no time limit, only the other two limits apply.
        /// Default: 10 seconds.
        public var timeLimit: Duration? = .seconds(10)

        /// All defaults.
        public init() {}
    }

    /// The queue in which the messages of one subscription wait for their consumer.
    ///
    /// ### Messages that overflow are lost
    ///
    /// A message that an overflowing queue drops is lost, at any QoS: a QoS 1 or 2 message is acknowledged, because
    /// otherwise the Receive Maximum would be used up and everything else would stop. The subscription's statistics
    /// count it. To lose nothing, set `count` to at least the session's receive maximum (with acknowledgement on
    /// consumption, the broker then waits), or use ``Overflow/fail``: the messages that do not fit then wait for the
    /// next subscription (``UnclaimedQueue``).
    public struct SubscriptionQueue: Sendable {
        /// Which message the consumer gets next. Default: `.fifo`, in the order of arrival.
        public var order: Order
        /// The maximum number of waiting messages. Messages that the consumer has already taken do not count.
        /// Default: 10,000.
        public var count: Int
        /// The maximum size of the waiting messages in bytes, including topics and properties. Default: 64 MiB.
        public var bytes: Int
        /// What happens when a message does not fit. Default: `.dropOldest`.
        public var overflow: Overflow
        /// Whether QoS 1 and 2 messages are never dropped, although they count: the receive maximum limits their
        /// number. For `.fifo` with `.dropOldest`.
        package var sparesAcknowledged = false

        /// Creates the settings of a queue.
        public init(
            order: Order = .fifo, count: Int = 10_000, bytes: Int = 64 << 20, overflow: Overflow = .dropOldest
        ) {
            self.order = order
            self.count = count
            self.bytes = bytes
            self.overflow = overflow
        }

        /// Which message a consumer gets next.
        public struct Order: Sendable {
            enum Kind: Sendable {
                case fifo
                case lifo
                case priority(@Sendable (MQTTMessage) -> Int)
            }

            let kind: Kind

            /// The oldest message first. The fastest order.
            public static let fifo = Self(kind: .fifo)

            /// The newest message first, for a consumer that prefers current messages to old ones.
            public static let lifo = Self(kind: .lifo)

            /// The message with the highest priority first; among equals, the oldest.
            ///
            /// - Parameter priority: Returns the priority of a message. Called once for each message, when it arrives,
            ///   on the client's event loop, so it must be quick.
            public static func highestFirst(by priority: @escaping @Sendable (MQTTMessage) -> Int) -> Self {
                Self(kind: .priority(priority))
            }

            /// The message with the lowest number first, as in a priority queue of Python; among equals, the oldest.
            ///
            /// ```swift
            /// configuration.queues.subscription.order = .lowestFirst { $0.topic.matches("alarm/#") ? 0 : 1 }
            /// ```
            ///
            /// - Parameter number: Returns the number of a message. Called once for each message, when it arrives, on
            ///   the client's event loop, so it must be quick.
            public static func lowestFirst(by number: @escaping @Sendable (MQTTMessage) -> Int) -> Self {
                // The complement reverses the order and, unlike the negative, exists for every number.
                Self(kind: .priority { ~number($0) })
            }
        }

        /// What happens when a message does not fit. More policies may be added.
        public struct Overflow: Sendable, Hashable, CustomStringConvertible {
            enum Kind: Sendable, Hashable {
                case dropOldest
                case dropNewest
                case latestPerTopic
                case fail
            }

            let kind: Kind

            /// Drops the oldest message. In an order by priority: the oldest of the lowest priority.
            public static let dropOldest = Self(kind: .dropOldest)

            /// Drops the newest message, which is the one that just arrived. In an order by priority: the newest of the
            /// lowest priority.
            public static let dropNewest = Self(kind: .dropNewest)

            /// Keeps only the latest message of each topic, even when the queue is not full. It takes the place of the
            /// previous one, so that a busy topic keeps its turn. With too many topics, the oldest message is dropped.
            /// For `.fifo` and `.lifo`.
            public static let latestPerTopic = Self(kind: .latestPerTopic)

            /// Ends the subscription with the code `.queueOverflow` after its consumer has received the waiting
            /// messages.
            public static let fail = Self(kind: .fail)

            /// The name of the policy.
            public var description: String { "\(self.kind)" }
        }
    }

    /// When a received QoS 1 or 2 message is acknowledged to the server.
    public struct Acknowledgement: Sendable {
        /// The policy of subscriptions that do not specify their own. Default: `.onConsumption`.
        public var policy: AcknowledgementPolicy = .onConsumption

        /// How long a consumer may hold one message unacknowledged, or a message may wait in a subscription that nobody
        /// reads, before a warning names its topic and age. The messages behind it wait, because acknowledgements are
        /// sent in the order of arrival. `nil`: no warning. Default: 30 seconds.
        public var stuckWarning: Duration? = .seconds(30)

        /// All defaults.
        public init() {}
    }

    /// When a received QoS 1 or 2 message is acknowledged to the server. More policies may be added.
    public struct AcknowledgementPolicy: Sendable, Hashable, CustomStringConvertible {
        package enum Kind: Sendable, Hashable {
            case onConsumption
            case onReceipt
            case manual
        }

        package let kind: Kind

        /// When the consumer asks for the next message or leaves the loop in any way. After a crash in between, the
        /// broker sends the message again. Messages that the consumer has not seen are not acknowledged.
        public static let onConsumption = Self(kind: .onConsumption)

        /// On arrival: the broker never waits, but a crash loses the messages that are still queued.
        public static let onReceipt = Self(kind: .onReceipt)

        /// When the program calls a method to acknowledge the message, optionally with a reason code.
        public static let manual = Self(kind: .manual)

        /// The name of the policy.
        public var description: String { "\(self.kind)" }
    }

    /// Limits that ordinary programs never reach; they bound memory use.
    public struct Limits: Sendable, Hashable {
        /// The maximum number of requests that wait for replies at the same time. Default: 65,536.
        public var waitingRequests: Int = 65_536

        /// The maximum size of an answer whose payload has to be decoded to find the call that it answers, as in
        /// JSON-RPC; larger ones count as unexpected replies. Default: 1 MiB.
        public var decodedReplyBytes: Int = 1 << 20

        /// How many bytes of answers `serve` remembers, to answer a request that the broker delivers again without
        /// handling it twice. Default: 1 MiB.
        public var rememberedAnswerBytes: Int = 1 << 20

        /// The maximum number of requests that a responder handles at the same time if it does not specify its own.
        /// Default: 64.
        public var concurrentResponses: Int = 64

        /// The maximum number of events that wait for a listener; above it, the oldest are dropped. Default: 256.
        public var bufferedEvents: Int = 256

        /// All defaults.
        public init() {}
    }
}

extension MQTTConfiguration {
    /// How much waits, going out and coming in.
    public struct Queues: Sendable {
        /// The high-water mark of bytes that the network has not taken yet: past it, `publish` suspends until they drain.
        /// Default: 1 MiB.
        public var unsentBytes: Int = 1 << 20

        /// How many QoS 1 and 2 messages may wait for their turn, beyond those that the server's Receive Maximum lets out; past
        /// it, `publish` suspends, and what does not wait fails with the code `.queueFull`. Default: 65,536.
        public var outboxCount: Int = 65_536

        /// How many bytes these messages may hold together, with those that were sent and are not acknowledged. Default: 64 MiB.
        public var outboxBytes: Int = 64 << 20

        /// The queue of each subscription that asks for no other.
        public var subscription = SubscriptionQueue()

        /// Where messages at QoS 1 and 2 wait that no subscription has taken.
        public var unclaimed = UnclaimedQueue()

        /// All defaults.
        public init() {}
    }

    /// Where messages at QoS 1 and 2 wait, unacknowledged, for a subscription that takes them.
    ///
    /// Such messages are those of a kept session that come before the program has subscribed, those of subscriptions that a
    /// server makes by itself, and those that a subscription had not looked at when it ended. They go, in the order in which they
    /// came, to the subscription that is made next and matches. What nobody takes within these bounds is acknowledged, counted
    /// in ``MQTTStatistics/unrouted`` and told with its topic: as a warning in the log and as
    /// ``MQTTEvent/messagesUnclaimed(topics:count:)``.
    ///
    /// A message that waits holds up the acknowledgements of those that came after it. When one has waited for `time` in vain,
    /// later ones do not wait until the next connection.
    public struct UnclaimedQueue: Sendable, Hashable {
        /// How many messages wait at the most; beyond, the oldest goes. Default: 10,000.
        public var count: Int = 10_000

        /// How many bytes, topics and payloads together, wait at the most; beyond, the oldest goes. Default: 64 MiB.
        public var bytes: Int = 64 << 20

        /// How long a message waits. `nil`: until it is taken or the other bounds are met; `.zero`: not at all.
        /// Default: 10 seconds.
        public var time: Duration? = .seconds(10)

        /// All defaults.
        public init() {}
    }

    /// Where the messages of one subscription wait for their consumer.
    ///
    /// ### What overflows is lost
    ///
    /// A message that an overflowing queue drops is gone, at any QoS: the server holds a QoS 1 or 2 message as accepted by this
    /// client and is told so, for otherwise its window would fill and everything else would stop. It is counted in the
    /// subscription's statistics. To lose nothing, let `count` be at least the session's receive maximum (the acknowledgement on
    /// consumption then makes the server wait), or use ``Overflow/fail``: what was too many then waits for the subscription that
    /// is made next (``UnclaimedQueue``).
    public struct SubscriptionQueue: Sendable {
        /// Which message the consumer gets next. Default: `.fifo`, in the order of arrival.
        public var order: Order
        /// How many messages wait at the most. What the consumer has taken out in one go counts no more. Default: 10,000.
        public var count: Int
        /// How many bytes, topics and payloads together, wait at the most. Default: 64 MiB.
        public var bytes: Int
        /// What happens when a message is too many. Default: `.dropOldest`.
        public var overflow: Overflow
        /// Whether messages at QoS 1 and 2 are never too many, though they count: what the server may have in flight bounds them.
        /// For `.fifo` with `.dropOldest`.
        package var sparesAcknowledged = false

        /// Makes the settings of a queue.
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

            /// The oldest first. The fastest.
            public static let fifo = Self(kind: .fifo)

            /// The newest first: for a consumer to whom the present counts more than the past.
            public static let lifo = Self(kind: .lifo)

            /// The message with the highest priority first; among equals, the oldest.
            ///
            /// - Parameter priority: Returns the priority of a message. Called once for each message, when it arrives, on the client's
            ///   event loop, so it must be quick.
            public static func highestFirst(by priority: @escaping @Sendable (MQTTMessage) -> Int) -> Self {
                Self(kind: .priority(priority))
            }

            /// The message with the lowest number first, as in a priority queue of Python; among equals, the oldest.
            ///
            /// ```swift
            /// configuration.queues.subscription.order = .lowestFirst { $0.topic.matches("alarm/#") ? 0 : 1 }
            /// ```
            ///
            /// - Parameter number: Returns the number of a message. Called once for each message, when it arrives, on the client's event
            ///   loop, so it must be quick.
            public static func lowestFirst(by number: @escaping @Sendable (MQTTMessage) -> Int) -> Self {
                // The complement reverses the order and, unlike the negative, exists for every number.
                Self(kind: .priority { ~number($0) })
            }
        }

        /// What happens when a message is too many. More may come.
        public struct Overflow: Sendable, Hashable, CustomStringConvertible {
            enum Kind: Sendable, Hashable {
                case dropOldest
                case dropNewest
                case latestPerTopic
                case fail
            }

            let kind: Kind

            /// The oldest message goes. In an order by priority: the oldest of the lowest priority.
            public static let dropOldest = Self(kind: .dropOldest)

            /// The newest message goes, which is the one that came in. In an order by priority: the newest of the lowest priority.
            public static let dropNewest = Self(kind: .dropNewest)

            /// Only the latest message of each topic waits, from the start and not only when there are too many: it takes the place
            /// of the one before, so that a busy topic does not lose its turn. With too many topics the oldest message goes.
            /// For `.fifo` and `.lifo`.
            public static let latestPerTopic = Self(kind: .latestPerTopic)

            /// The subscription ends with the code `.queueOverflow`, after its consumer got what waited.
            public static let fail = Self(kind: .fail)

            /// The name of the policy.
            public var description: String { "\(self.kind)" }
        }
    }

    /// When a received QoS 1 or 2 message is acknowledged to the server.
    public struct Acknowledgement: Sendable {
        /// When; a subscription may ask for another. Default: `.onConsumption`.
        public var policy: AcknowledgementPolicy = .onConsumption

        /// How long a message may stay unacknowledged in its consumer's hands, or wait in a subscription that nobody reads, before
        /// a warning names its topic and age. The
        /// messages behind it wait, for acknowledgements leave in the order of arrival. `nil`: no warning. Default: 30 seconds.
        public var stuckWarning: Duration? = .seconds(30)

        /// All defaults.
        public init() {}
    }

    /// When a received QoS 1 or 2 message is acknowledged to the server. More may come.
    public struct AcknowledgementPolicy: Sendable, Hashable, CustomStringConvertible {
        package enum Kind: Sendable, Hashable {
            case onConsumption
            case onReceipt
            case manual
        }

        package let kind: Kind

        /// When the consumer asks for the next message, or leaves the loop, by whatever way: a crash in between makes the server
        /// send it again. What the consumer has not looked at is not acknowledged.
        public static let onConsumption = Self(kind: .onConsumption)

        /// When it has arrived: the server is never kept waiting, and what still waits is lost in a crash.
        public static let onReceipt = Self(kind: .onReceipt)

        /// When the program acknowledges the message by a call, with a reason code if it wants.
        public static let manual = Self(kind: .manual)

        /// The name of the policy.
        public var description: String { "\(self.kind)" }
    }

    /// Bounds that no ordinary program meets; they keep an extraordinary one from filling the memory.
    public struct Limits: Sendable, Hashable {
        /// How many requests may wait for replies at the same time. Default: 65,536.
        public var waitingRequests: Int = 65_536

        /// How many requests one responder works on at the same time, where it gives no other number. Default: 64.
        public var concurrentResponses: Int = 64

        /// How many events wait for a listener that does not take them; the oldest go first. Default: 256.
        public var bufferedEvents: Int = 256

        /// All defaults.
        public init() {}
    }
}

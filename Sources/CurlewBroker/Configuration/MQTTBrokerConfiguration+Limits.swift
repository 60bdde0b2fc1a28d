public import CurlewCore

extension MQTTBrokerConfiguration {
    /// Limits of what clients may do, and of what the broker keeps for them. No client can exceed them.
    public struct Limits: Sendable {
        /// The maximum number of connections at once. Default: no limit.
        public var maximumConnections: Int?
        /// The maximum number of new connections per second; further ones are refused with *connection rate exceeded*.
        /// Default: no limit.
        public var connectionsPerSecond: Int?
        /// How long a client may take from opening the connection to the end of its authentication. Default: 10 s.
        public var connectTimeout: Duration = .seconds(10)
        /// How long a packet may take from its first byte to its last, plus one second for each 4 KiB received. A
        /// client that takes longer is disconnected. Default: 30 s.
        public var packetTimeout: Duration = .seconds(30)
        /// The size of the largest packet that is accepted, in bytes (MQTT 5.0 section 3.2.2.3.6). Default: 1 MiB.
        public var maximumPacketSize: UInt32 = 1 << 20
        /// How many QoS 1 and 2 messages a client may have in flight to the broker (MQTT 5.0 section 3.2.2.3.3).
        /// Default: 1000.
        public var receiveMaximum: UInt16 = 1000
        /// How many QoS 1 and 2 messages the broker has in flight to a client. Clients that speak 5.0 may request fewer
        /// (Receive Maximum). Default: 1000.
        public var maximumInFlightMessages: UInt16 = 1000
        /// How many bytes of payload the broker has in flight to a client at QoS 1 and 2; a single message may be
        /// larger. `nil` for no limit. Default: 16 MiB.
        public var maximumInFlightBytes: Int? = 16 << 20
        /// How many messages are queued for a client that is disconnected or slow, in addition to those in flight.
        /// Default: 10,000.
        public var maximumQueuedMessages = 10_000
        /// How many bytes are queued for a client that is disconnected or slow. Default: 64 MiB.
        public var maximumQueuedBytes = 64 << 20
        /// How many bytes the broker holds for all clients together: messages that are queued, in flight or retained,
        /// each counted once, and the memory of sessions, subscriptions, wills, names and connections. A client may use
        /// as much as is still free, but always a little. `Int.max` for no limit. Default: `nil`, half of the memory of
        /// the machine or of the process's control group.
        public var maximumMemory: Int?
        /// How long a publisher at QoS 1 or 2 waits for subscribers that make progress but cannot keep up, before its
        /// next messages are processed. Zero to never wait, and to drop messages when a queue is full. Default: 1 s.
        public var maximumPublisherDelay: Duration = .seconds(1)
        /// Whether ``maximumQueuedBytes`` counts only payloads, as mosquitto does, instead of all memory of the
        /// messages. Default: `false`.
        public var countsPayloadsOnly = false
        /// The highest QoS (MQTT 5.0 section 3.2.2.3.4). Default: 2.
        public var maximumQoS = QoS.exactlyOnce
        /// The highest topic alias that a client may use, 0 for none (MQTT 5.0 section 3.2.2.3.8). Default: 16.
        public var topicAliasMaximum: UInt16 = 16
        /// The highest topic alias that the broker uses towards clients that allow it, 0 for none. Default: 16.
        public var outgoingTopicAliasMaximum: UInt16 = 16
        /// The longest keep alive in seconds. A client that requests a longer one, or none, is told this one if it
        /// speaks 5.0 (MQTT 5.0 section 3.2.2.3.14), and refused otherwise. Default: 65,535, which accepts any.
        public var maximumKeepAlive: UInt16 = .max
        /// How long a session is kept after its client has disconnected, even if the client requests longer. Default:
        /// no limit.
        public var maximumSessionExpiry: Duration?
        /// The maximum number of sessions. Once it is reached, only clients whose session ends with the connection are
        /// accepted. Default: 100,000.
        public var maximumSessions = 100_000
        /// How many subscriptions one client may have. Default: 100,000.
        public var maximumSubscriptionsPerClient = 100_000
        /// How many of these may be shared; each message is delivered once for each of them that matches. Default:
        /// 1,000.
        public var maximumSharedSubscriptionsPerClient = 1000
        /// How many bytes the subscriptions of one client may take. Default: 128 MiB.
        public var maximumSubscriptionBytesPerClient = 128 << 20
        /// How many wildcard patterns the subscriptions of one client may have: `a/+/#` and `b/+/#` have the same
        /// pattern, `+/b/#` has another one. A topic matches at most one subscription of each pattern, so this bounds
        /// the cost of a message even if many subscriptions overlap. Further subscriptions are refused with *quota
        /// exceeded*. Default: 256, more than six levels allow.
        public var maximumWildcardPatternsPerClient = 256
        /// How many topic filters one SUBSCRIBE may have; further ones are refused with *quota exceeded*. Default:
        /// 100,000.
        public var maximumFiltersPerSubscribe = 100_000
        /// How many retained messages are kept. Default: 1,000,000.
        public var maximumRetainedMessages = 1_000_000
        /// How many bytes of retained messages are kept. Default: 1 GiB.
        public var maximumRetainedBytes = 1 << 30
        /// How many messages a client may publish per second, with a burst; it is read no faster. Default: no limit.
        public var messageRate: Rate?
        /// How many bytes a client may send per second, with a burst; it is read no faster. Default: no limit.
        public var byteRate: Rate?

        /// The default limits.
        public init() {}

        /// A rate with a burst.
        public struct Rate: Sendable, Hashable {
            /// How many per second.
            public var perSecond: Int
            /// How many at once after a pause.
            public var burst: Int

            /// Makes a rate.
            ///
            /// - Parameters:
            ///   - perSecond: How many per second; at least 1.
            ///   - burst: How many at once after a pause. Default: as many as per second.
            public init(perSecond: Int, burst: Int? = nil) {
                self.perSecond = max(1, perSecond)
                self.burst = max(1, burst ?? perSecond)
            }
        }
    }

    /// Behavior that the standard leaves open.
    public struct Behavior: Sendable {
        /// Whether retained messages are supported (MQTT 5.0 section 3.2.2.3.5). Default: `true`.
        public var retainAvailable = true
        /// Whether QoS 0 messages are queued for disconnected clients, as those of QoS 1 and 2 are. Default: `false`.
        public var queuesAtMostOnce = false
        /// Whether a message is delivered at the QoS of the subscription even if the publisher's is lower. Default:
        /// `false`; the standard does not allow it [MQTT-3.8.4-8], but mosquitto offers it.
        public var upgradesOutgoingQoS = false
        /// Which message is dropped when a queue is full. Default: the new one.
        public var overflow = Overflow.dropNewest
        /// Whether clients may let the broker assign their identifiers (MQTT 5.0 section 3.1.3.1). Default: `true`.
        public var assignsClientIdentifiers = true
        /// The prefix of identifiers that the broker assigns. Default: `auto-`.
        public var assignedIdentifierPrefix = "auto-"
        /// Whether a retained message is delivered to new subscribers only while its publisher may still publish to the
        /// topic. Default: `true`.
        public var checksRetainSource = true
        /// The prefix of the topics that clients should use for responses; the client identifier follows it
        /// (response information, MQTT 5.0 section 3.2.2.3.15). `nil` to send none. Default: `nil`.
        public var responseInformationPrefix: String?
        /// Another server that clients are referred to when they are refused or disconnected (MQTT 5.0 section 4.11).
        /// Default: none.
        public var serverReference: String?
        /// What happens when a client connects with an identifier whose session belongs to another user. Default:
        /// ``IdentifierConflict/replaceSession``.
        public var identifierConflict = IdentifierConflict.replaceSession
        /// Whether a reload ends the sessions of users that no longer exist. Otherwise they last as long as their
        /// clients have requested. Default: `true`.
        public var endsSessionsOfRemovedUsers = true
        /// How long a graceful shutdown waits until everything that was written to clients has left. Default: 5 s.
        public var shutdownTimeout: Duration = .seconds(5)

        /// The default behaviour.
        public init() {}

        /// What happens when a client connects with an identifier whose session belongs to another user.
        ///
        /// No client ever receives messages of another user. The options differ in who can prevent whom from using an
        /// identifier. If users must not disturb each other, tie identifiers to users with
        /// ``Listener/usesUsernameAsClientIdentifier``.
        #if hasAttribute(nonexhaustive)
        @nonexhaustive
        #endif
        public enum IdentifierConflict: Sendable, Hashable {
            /// The session of the other user ends, with its connection and its queue, and the client gets a new
            /// session. Any client that may connect can therefore disconnect any other, as with mosquitto.
            case replaceSession
            /// Like ``replaceSession``, but a client without a user name does not end the session of a user: it is
            /// refused with *client identifier not valid*.
            case replaceUnlessAnonymous
            /// The client is refused with *client identifier not valid* as long as the session exists.
            case refuseClient
        }

        /// Which message is dropped when a queue is full.
        #if hasAttribute(nonexhaustive)
        @nonexhaustive
        #endif
        public enum Overflow: Sendable, Hashable {
            /// The new message, as mosquitto does it.
            case dropNewest
            /// The message that has waited longest.
            case dropOldest
        }
    }
}

public import CurlewCore

extension MQTTBrokerConfiguration {
    /// What clients may do, and how much the broker keeps for them. None of it can be exceeded, whatever a client sends.
    public struct Limits: Sendable {
        /// How many connections there may be at once. Default: no limit.
        public var maximumConnections: Int?
        /// How many new connections a second are taken; those beyond it are refused with *connection rate exceeded*.
        /// Default: no limit.
        public var connectionsPerSecond: Int?
        /// How long a client may take from the connection to the end of its authentication. Default: 10 s.
        public var connectTimeout: Duration = .seconds(10)
        /// How long a packet may take from its first byte to its last, and a second more for each 4 KiB that have come; a client that takes longer
        /// is disconnected. Default: 30 s.
        public var packetTimeout: Duration = .seconds(30)
        /// The largest packet that is taken, in bytes (MQTT 5.0 section 3.2.2.3.6). Default: 1 MiB; CONNECT may have 64 KiB besides.
        public var maximumPacketSize: UInt32 = 1 << 20
        /// How many QoS 1 and 2 messages a client may have in flight to the broker (MQTT 5.0 section 3.2.2.3.3). Default: 1000.
        public var receiveMaximum: UInt16 = 1000
        /// How many QoS 1 and 2 messages the broker has in flight to a client, which may say less. Default: 1000; for clients before 5.0,
        /// which cannot say so, the limit is this.
        public var maximumInFlightMessages: UInt16 = 1000
        /// How many bytes of payloads the QoS 1 and 2 messages may have that the broker has in flight to a client; a single message may be larger.
        /// `nil` for no limit. Default: 16 MiB.
        public var maximumInFlightBytes: Int? = 16 << 20
        /// How many messages wait for a client that is away or slow, beyond those in flight. Default: 10,000.
        public var maximumQueuedMessages = 10_000
        /// How many bytes wait for a client that is away or slow. Default: 64 MiB.
        public var maximumQueuedBytes = 64 << 20
        /// How many bytes all clients together can make the broker hold: messages that wait, are in flight or retained, each counted once, and what
        /// sessions, subscriptions, wills, names and connections take. A client may hold as much as is still free, but always a little.
        /// `Int.max` for no limit. Default: `nil`, half of the memory that the machine, or the process's control group, has.
        public var maximumMemory: Int?
        /// How long a publisher at QoS 1 or 2 waits at the most for subscribers that make progress but cannot keep up; its next messages are
        /// processed after that in any case. Zero to never wait, and drop what a full queue cannot take. Default: 1 s.
        public var maximumPublisherDelay: Duration = .seconds(1)
        /// Whether ``maximumQueuedBytes`` counts payloads alone, as mosquitto does, and not all that messages take in memory. Default: `false`.
        public var countsPayloadsOnly = false
        /// The highest QoS (MQTT 5.0 section 3.2.2.3.4). Default: 2.
        public var maximumQoS = QoS.exactlyOnce
        /// The highest topic alias that a client may use, 0 for none (MQTT 5.0 section 3.2.2.3.8). Default: 16.
        public var topicAliasMaximum: UInt16 = 16
        /// The highest topic alias that the broker uses to a client that allows as many; 0 for none. Default: 16.
        public var outgoingTopicAliasMaximum: UInt16 = 16
        /// The longest keep alive in seconds; a client that asks for more, or for none, is told this one if it speaks 5.0, and refused if not
        /// (MQTT 5.0 section 3.2.2.3.14). Default: 65,535, which takes any.
        public var maximumKeepAlive: UInt16 = .max
        /// How long a session is kept at the most after its client has gone, whatever the client asks for. Default: no limit.
        public var maximumSessionExpiry: Duration?
        /// How many sessions there may be. When there are as many, only clients are taken whose session ends with the connection. Default: 100,000.
        public var maximumSessions = 100_000
        /// How many subscriptions one client may have. Default: 100,000.
        public var maximumSubscriptionsPerClient = 100_000
        /// How many of these may be shared: each has every message that matches it delivered once more. Default: 1,000.
        public var maximumSharedSubscriptionsPerClient = 1000
        /// How many bytes the subscriptions of one client may take. Default: 128 MiB.
        public var maximumSubscriptionBytesPerClient = 128 << 20
        /// How many patterns of wildcards the subscriptions of one client may have: `a/+/#` and `b/+/#` have the same pattern, `+/b/#` has
        /// another one. A topic matches at most one subscription of each pattern, so this bounds what a message costs however many
        /// subscriptions overlap. A SUBSCRIBE beyond it is refused with *quota exceeded*. Default: 256, more than there are for six levels.
        public var maximumWildcardPatternsPerClient = 256
        /// How many topic filters one SUBSCRIBE may have; those beyond are refused with *quota exceeded*. Default: 100,000.
        public var maximumFiltersPerSubscribe = 100_000
        /// How many retained messages are kept. Default: 1,000,000.
        public var maximumRetainedMessages = 1_000_000
        /// How many bytes of retained messages are kept. Default: 1 GiB.
        public var maximumRetainedBytes = 1 << 30
        /// How many messages a client may publish a second, with a burst; it is read no faster. Default: no limit.
        public var messageRate: Rate?
        /// How many bytes a client may send a second, with a burst; it is read no faster. Default: no limit.
        public var byteRate: Rate?

        /// The default limits.
        public init() {}

        /// So many a second, and so many at once.
        public struct Rate: Sendable, Hashable {
            /// How many a second.
            public var perSecond: Int
            /// How many at once after a pause.
            public var burst: Int

            /// Makes a rate.
            ///
            /// - Parameters:
            ///   - perSecond: How many a second; at least 1.
            ///   - burst: How many at once after a pause. Default: as many as in a second.
            public init(perSecond: Int, burst: Int? = nil) {
                self.perSecond = max(1, perSecond)
                self.burst = max(1, burst ?? perSecond)
            }
        }
    }

    /// What the broker does that the standard leaves open.
    public struct Behaviour: Sendable {
        /// Whether retained messages are kept at all (MQTT 5.0 section 3.2.2.3.5). Default: `true`.
        public var retainAvailable = true
        /// Whether QoS 0 messages wait for a client that is away, as those of QoS 1 and 2 do. Default: `false`.
        public var queuesAtMostOnce = false
        /// Whether a message is delivered at the QoS of the subscription where that is higher than the publisher's. Default: `false`; the
        /// standard does not allow it [MQTT-3.8.4-8], mosquitto offers it.
        public var upgradesOutgoingQoS = false
        /// What goes when a queue is full. Default: the new message.
        public var overflow = Overflow.dropNewest
        /// Whether a client may leave its identifier to the broker (MQTT 5.0 section 3.1.3.1). Default: `true`.
        public var assignsClientIdentifiers = true
        /// What identifiers assigned by the broker begin with. Default: `auto-`.
        public var assignedIdentifierPrefix = "auto-"
        /// Whether a retained message is given to new subscribers only while its publisher may still publish to the topic.
        /// Default: `true`.
        public var checksRetainSource = true
        /// The beginning of topics that clients are told to use for responses, followed by the client identifier
        /// (MQTT 5.0 section 3.2.2.3.15); `nil` to tell nothing. Default: `nil`.
        public var responseInformationPrefix: String?
        /// Another server that refused or disconnected clients are told of (MQTT 5.0 section 4.11). Default: none.
        public var serverReference: String?
        /// What happens when a client connects with an identifier whose session belongs to another user. Default:
        /// ``IdentifierConflict/replaceSession``.
        public var identifierConflict = IdentifierConflict.replaceSession
        /// Whether a reload ends the sessions of users who no longer exist. Default: `true`; otherwise they last as long as their clients have
        /// asked for.
        public var endsSessionsOfRemovedUsers = true
        /// How long a graceful shutdown waits for clients to take what is written to them. Default: 5 s.
        public var shutdownTimeout: Duration = .seconds(5)

        /// The default behaviour.
        public init() {}

        /// What happens when a client connects with an identifier whose session belongs to another user.
        ///
        /// No client ever gets the messages of another user. What differs is who can keep an identifier from whom. Tie identifiers to users
        /// with ``Listener/usesUsernameAsClientIdentifier`` where users are not to disturb each other.
        public enum IdentifierConflict: Sendable, Hashable {
            /// The session of the other user ends, with its connection and its queue, and the client gets a new one. Any client that may connect
            /// can disconnect any other, as with mosquitto.
            case replaceSession
            /// As ``replaceSession``, but a client without a user name does not end the session of a user: it is refused with *client
            /// identifier not valid*.
            case replaceUnlessAnonymous
            /// The client is refused with *client identifier not valid* as long as the session exists: who comes first keeps the identifier.
            case refuseClient
        }

        /// What goes when a queue is full.
        public enum Overflow: Sendable, Hashable {
            /// The message that comes, as mosquitto does it.
            case dropNewest
            /// The message that has waited longest.
            case dropOldest
        }
    }
}

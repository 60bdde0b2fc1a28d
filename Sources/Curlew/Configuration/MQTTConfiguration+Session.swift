public import CurlewCore
public import NIOCore

extension MQTTConfiguration {
    /// What client and server keep for each other, and what they agree on at connecting (MQTT 5.0 sections 3.1.2.4 and 3.1.2.11).
    ///
    /// Before 5.0 only `cleanStart` reaches the server; the client keeps to the rest on its own as far as one end can.
    public struct Session: Sendable {
        /// Whether the first connection of this client begins a new session, and what the server kept from an earlier run
        /// (messages, subscriptions) is thrown away. Reconnections resume the session in any case. Default: `true`.
        ///
        /// Set it to `false`, with a client identifier of your own, to get what was sent while the program did not run.
        ///
        /// Before 5.0 this is the Clean Session flag of *every* connection, for there the flag also tells the server to forget
        /// the session when the connection ends. The client then subscribes again and sends again by itself; only a QoS 2
        /// message under way while the connection breaks may arrive twice, unless this is `false`.
        public var cleanStart: Bool = true

        /// How long the server keeps the session of a client that is gone; 5.0 only. Default: one hour.
        ///
        /// Long enough that a restart of the server or of the network loses nothing; short enough that a client which never
        /// comes back does not fill the server's queues for ever.
        public var expiry: Expiry = .after(.seconds(3600))

        /// How many QoS 1 and 2 messages the server may send before the first of them is acknowledged, 1…65,535.
        /// Default: 1,024, a tenth of the default queue of a subscription, so that such messages do not overflow it.
        public var receiveMaximum: Int = 1024

        /// The largest packet that the client accepts, in bytes, 1…268,435,460. Default: 16 MiB.
        ///
        /// A server of 5.0 is told, and does not send what is larger: this client then never hears of it. From others, a larger
        /// message is left out as it streams by, without filling the memory, and acknowledged so that it does not come for ever:
        /// see ``MQTTEvent/messageLeftOut(topic:_:)``. It counts as dropped by its subscriptions; one whose queue
        /// overflows with `.fail` fails with the code `packetTooLarge`.
        public var maximumPacketSize: Int = 16 << 20

        /// How many topic aliases the server may use for the messages that it sends, 0…65,535; each may hold a topic of up to
        /// 64 KiB in memory. Default: 64.
        public var topicAliasMaximum: Int = 64

        /// Whether outgoing topics that keep being used are replaced by topic aliases, as far as the server allows.
        /// Default: `true`.
        public var usesTopicAliases: Bool = true

        /// Whether the server is asked for response information, from which topics for replies are made. Default: `false`.
        public var requestResponseInformation: Bool = false

        /// Whether the server may explain failures in words and user properties. Default: `true`.
        public var requestProblemInformation: Bool = true

        /// What the application tells the server in CONNECT. Default: nothing.
        public var userProperties: [UserProperty] = []

        /// All defaults.
        public init() {}
    }

    /// How long a server keeps the session of a client that is gone (MQTT 5.0 section 3.1.2.11.2).
    public struct Expiry: Sendable, Hashable, CustomStringConvertible {
        /// The time; `nil` stands for ever.
        public let duration: Duration?

        /// The session ends with the connection, whatever ends it.
        public static let withConnection = Self(duration: .zero)

        /// The session stays until the client itself ends it.
        public static let never = Self(duration: nil)

        /// The session ends this long after the connection: whole seconds, up to 4,294,967,294.
        public static func after(_ duration: Duration) -> Self { Self(duration: duration) }

        /// `never`, or the time.
        public var description: String { self.duration?.description ?? "never" }

        /// As it stands in CONNECT, where the largest value means for ever; `nil` where the duration does not fit.
        package var seconds: UInt32? {
            guard let duration = self.duration else { return .max }
            return duration.wholeSeconds(through: UInt32.max - 1)
        }
    }

    /// The message that the server publishes when the connection ends without a proper goodbye (MQTT 5.0 section 3.1.2.5).
    public struct Will: Sendable {
        /// The topic name, without wildcards.
        public var topic: String
        /// The content, 65,535 bytes at the most.
        public var payload: ByteBuffer
        /// The QoS at which it is published. Default: 0.
        public var qos: QoS
        /// Whether it is retained. Default: `false`.
        public var retain: Bool
        /// How long the server waits, in whole seconds, for the client to come back instead; the end of the session ends the wait.
        /// More than `.zero` needs 5.0. Default: `.zero`.
        public var delay: Duration
        /// Content type, user properties and the like. Ignored before 5.0.
        public var properties: MessageProperties

        /// Makes a will of bytes.
        public init(
            topic: String, payload: ByteBuffer, qos: QoS = .atMostOnce, retain: Bool = false, delay: Duration = .zero,
            properties: MessageProperties = MessageProperties()
        ) {
            self.topic = topic
            self.payload = payload
            self.qos = qos
            self.retain = retain
            self.delay = delay
            self.properties = properties
        }

        /// Makes a will of text.
        public init(
            topic: String, text: String, qos: QoS = .atMostOnce, retain: Bool = false, delay: Duration = .zero,
            properties: MessageProperties = MessageProperties()
        ) {
            self.init(
                topic: topic, payload: ByteBuffer(string: text), qos: qos, retain: retain, delay: delay,
                properties: properties)
        }
    }
}

extension Duration {
    /// The seconds, if they are whole and from 0 through `maximum`.
    package func wholeSeconds(through maximum: UInt32) -> UInt32? {
        let (seconds, attoseconds) = self.components
        guard attoseconds == 0, let value = UInt32(exactly: seconds), value <= maximum else { return nil }
        return value
    }
}

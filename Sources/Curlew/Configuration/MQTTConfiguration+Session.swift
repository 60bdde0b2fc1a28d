public import CurlewCore
public import NIOCore

extension MQTTConfiguration {
    /// What client and broker keep for each other, and what they agree on when they connect (MQTT 5.0 sections 3.1.2.4
    /// and 3.1.2.11).
    ///
    /// Before 5.0 only `cleanStart` is sent to the broker. The client applies the other settings on its own where it
    /// can.
    public struct Session: Sendable {
        /// Whether the first connection of this client starts a new session and discards what the broker kept from an
        /// earlier run (messages, subscriptions). Reconnections always resume the session. Default: `true`.
        ///
        /// Set it to `false`, with a fixed client identifier, to receive messages that were sent while the program was
        /// not running.
        ///
        /// Before 5.0 this is the Clean Session flag of *every* connection, because there the flag also tells the
        /// broker to discard the session when the connection ends. After a reconnection the client then subscribes
        /// again and sends unacknowledged messages again. A QoS 2 message that is in flight when the connection breaks
        /// may arrive twice; set this to `false` to prevent that.
        public var cleanStart: Bool = true

        /// How long the broker keeps the session after the connection ends; 5.0 only. Default: one hour.
        ///
        /// That is long enough to lose nothing when the broker or the network restarts, and short enough that a client
        /// that never returns does not fill the broker's queues forever.
        public var expiry: Expiry = .after(.seconds(3600))

        /// The maximum number of QoS 1 and 2 messages that the broker may send before the first of them is
        /// acknowledged, 1…65,535. Default: 1,024, a tenth of the default queue of a subscription, so that these
        /// messages do not overflow it.
        public var receiveMaximum: Int = 1024

        /// The maximum number of unacknowledged QoS 1 and 2 messages that the client sends, 1…65,535 (MQTT 5.0 section
        /// 4.9); more wait in the outbox. With 5.0, the broker's Receive Maximum applies if it is lower. Default:
        /// `nil`, the broker's Receive Maximum with 5.0, and 20 before 5.0, which has no Receive Maximum.
        ///
        /// 20 is safe everywhere: by default, mosquitto closes the connection of a 3.1.1 client that sends a 21st
        /// message at QoS 2. If the broker accepts more, as Curlew's does, a higher value makes publishing over 3.1.1
        /// several times faster.
        public var maximumInFlightMessages: Int?

        /// The maximum size of a packet that the client accepts, in bytes, 1…268,435,460. Default: 16 MiB.
        ///
        /// A 5.0 broker learns this limit and does not send larger messages; the client is not told about them. From
        /// other brokers, the client discards a larger message while it arrives, without storing it, and acknowledges
        /// it, so that the broker does not send it again: see ``MQTTEvent/messageSkipped(topic:_:)``. The message
        /// counts as dropped by its subscriptions; a subscription with the overflow policy `.fail` fails with the code
        /// `packetTooLarge`.
        public var maximumPacketSize: Int = 16 << 20

        /// The maximum number of topic aliases that the broker may use for its messages, 0…65,535. Each may hold a
        /// topic of up to 64 KiB in memory. Default: 64.
        public var topicAliasMaximum: Int = 64

        /// Whether the client replaces frequently used topics by topic aliases, if the broker allows them.
        /// Default: `true`.
        public var usesTopicAliases: Bool = true

        /// Whether to request response information from the broker, with which the response topics of requests then
        /// begin instead of `reply`. Default: `false`.
        public var requestResponseInformation: Bool = false

        /// Whether the broker may explain failures with reason strings and user properties. Default: `true`.
        public var requestProblemInformation: Bool = true

        /// User properties for CONNECT. Default: none.
        public var userProperties: [UserProperty] = []

        /// All defaults.
        public init() {}
    }

    /// How long a broker keeps a session after the connection ends (MQTT 5.0 section 3.1.2.11.2).
    public struct Expiry: Sendable, Hashable, CustomStringConvertible {
        /// The duration; `nil` means that the session never expires.
        public let duration: Duration?

        /// The session ends with the connection.
        public static let withConnection = Self(duration: .zero)

        /// The session never expires; only the client ends it.
        public static let never = Self(duration: nil)

        /// The session ends this long after the connection: in whole seconds, up to 4,294,967,294.
        public static func after(_ duration: Duration) -> Self { Self(duration: duration) }

        /// `never`, or the duration.
        public var description: String { self.duration?.description ?? "never" }

        /// The value in CONNECT, where the maximum means never; `nil` if the duration does not fit.
        package var seconds: UInt32? {
            guard let duration = self.duration else { return .max }
            return duration.wholeSeconds(through: UInt32.max - 1)
        }
    }

    /// The message that the broker publishes if the connection ends without a DISCONNECT (MQTT 5.0 section 3.1.2.5).
    public struct Will: Sendable {
        /// The topic name, without wildcards.
        public var topic: String
        /// The payload, at most 65,535 bytes.
        public var payload: ByteBuffer
        /// The QoS of the message. Default: 0.
        public var qos: QoS
        /// Whether the message is retained. Default: `false`.
        public var retain: Bool
        /// How long the broker waits for the client to reconnect before it publishes the will, in whole seconds. It
        /// publishes earlier if the session ends. More than `.zero` needs 5.0. Default: `.zero`.
        public var delay: Duration
        /// Content type, user properties and others. Ignored before 5.0.
        public var properties: MessageProperties

        /// Creates a will with a payload of bytes.
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

        /// Creates a will with a payload of text.
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
    /// The number of seconds, if it is a whole number from 0 through `maximum`; otherwise `nil`.
    package func wholeSeconds(through maximum: UInt32) -> UInt32? {
        let (seconds, attoseconds) = self.components
        guard attoseconds == 0, let value = UInt32(exactly: seconds), value <= maximum else { return nil }
        return value
    }
}

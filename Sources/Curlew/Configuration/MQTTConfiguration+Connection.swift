public import CurlewCore

extension MQTTConfiguration {
    /// Protocol version, keep alive and timeouts.
    public struct Connection: Sendable {
        /// The protocol version to use. Default: `.automatic`.
        public var version: Version = .automatic

        /// The keep-alive interval, in whole seconds up to 65,535. If nothing was sent or nothing was received for
        /// almost this long, the client sends a PINGREQ (MQTT 5.0 section 3.1.2.10). A broker may require a shorter
        /// interval. `.zero` disables pings, unless the broker requires an interval; the client then does not notice a
        /// connection that died silently. Default: 60 seconds.
        public var keepAlive: Duration = .seconds(60)

        /// How long name resolution, TCP and TLS may take together, for one broker. Default: 10 seconds.
        public var connectTimeout: Duration = .seconds(10)

        /// How long the broker may take from CONNECT to CONNACK, including enhanced authentication. With the version
        /// `.automatic`, the client waits half of it for an answer to 5.0, then tries 3.1.1 for the other half.
        /// Default: 10 seconds.
        public var handshakeTimeout: Duration = .seconds(10)

        /// How long the client waits after a PINGREQ for any packet before it considers the connection lost; never
        /// longer than the keep-alive interval. Default: 10 seconds.
        public var pingTimeout: Duration = .seconds(10)

        /// How long a publish, subscribe or unsubscribe waits for the broker if the call has no timeout of its own. The
        /// time starts with the call and includes time without a connection. Then the call throws `timedOut`;
        /// ``MQTTError/delivery`` says whether the message was sent, and a message that was not sent is dropped. The
        /// connection stays open.
        ///
        /// Default: `nil`, no limit: the call waits through any number of reconnections, and forever if a broker
        /// answers only pings. Set it, or pass a timeout to each call, if no call may wait forever. Requests always
        /// have a timeout.
        public var acknowledgementTimeout: Duration?

        /// The local address or host name to connect from, to choose one of several networks. Default: `nil`, the
        /// operating system chooses.
        public var localAddress: String?

        /// How long the client waits after DISCONNECT for the broker to close the connection, before it closes the
        /// connection itself. Default: 5 seconds.
        public var disconnectTimeout: Duration = .seconds(5)

        /// How long a graceful disconnect waits for queued and unacknowledged messages if the call has no timeout of
        /// its own. Default: 10 seconds.
        public var drainTimeout: Duration = .seconds(10)

        /// All defaults.
        public init() {}
    }

    /// The protocol version to use.
    public struct Version: Sendable, Hashable, CustomStringConvertible {
        /// The only version to use; `nil` for automatic.
        package let exact: ProtocolVersion?

        /// MQTT 5.0. Falls back to 3.1.1 once if the broker refuses 5.0, closes the connection, or does not answer
        /// within half of `connection.handshakeTimeout`.
        public static let automatic = Self(exact: nil)

        /// Only this version.
        public static func exactly(_ version: ProtocolVersion) -> Self { Self(exact: version) }

        /// `automatic`, or the version as people write it, for example `3.1.1`.
        public var description: String { self.exact?.description ?? "automatic" }
    }

    /// The client identifier, by which a broker knows a client and its session (MQTT 5.0 section 3.1.3.1). A broker
    /// disconnects a client when another one connects with the same identifier.
    public struct ClientIdentifier: Sendable, Hashable, CustomStringConvertible {
        package enum Kind: Sendable, Hashable {
            case generated(prefix: String)
            case given(String)
            case assignedByServer
        }

        package let kind: Kind

        /// `prefix` and 16 random letters and digits, generated once for each client; reconnections use the same
        /// identifier.
        ///
        /// If the prefix has at most 7 letters and digits, every broker must accept the identifier [MQTT-3.1.3-5].
        public static func generated(prefix: String = "curlew") -> Self { Self(kind: .generated(prefix: prefix)) }

        /// A fixed identifier, which a session needs to outlive the process.
        public static func given(_ identifier: String) -> Self { Self(kind: .given(identifier)) }

        /// The broker assigns the identifier. A 5.0 broker returns it, and reconnections use it. Before 5.0 the client
        /// does not learn it, so that no session outlives its connection.
        public static let assignedByServer = Self(kind: .assignedByServer)

        /// The identifier, or a short description of how it is chosen.
        public var description: String {
            switch self.kind {
            case .generated(let prefix): "\(prefix)…"
            case .given(let identifier): identifier
            case .assignedByServer: "(assigned by the server)"
            }
        }

        /// The number of random characters after the prefix: 95 bits of randomness, and 23 bytes with a prefix of 7.
        static let generatedLength = 16

        /// The identifier for the first connection; empty if the broker assigns it.
        package func firstIdentifier(using random: inout some RandomNumberGenerator) -> String {
            switch self.kind {
            case .given(let identifier): return identifier
            case .assignedByServer: return ""
            case .generated(let prefix):
                let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
                let suffix = (0..<Self.generatedLength).map { _ in
                    alphabet[Int.random(in: alphabet.indices, using: &random)]
                }
                return prefix + String(decoding: suffix, as: UTF8.self)
            }
        }
    }
}

// MARK: - Reconnecting

extension MQTTConfiguration {
    /// Whether and when to reconnect after the connection is lost. The delay before an attempt is random, between
    /// ``minimumDelay`` and a bound that starts at ``initialDelay`` and doubles after each failed round, up to
    /// ``maximumDelay``; ``jitter`` makes it less random.
    ///
    /// ```swift
    /// configuration.reconnect = .interactive      // for a user who is waiting
    /// configuration.reconnect.jitter = 0          // 250 ms, 500 ms, 1 s, 1 s …, the same each time
    /// ```
    ///
    /// The defaults suit fleets: after a broker fails, thousands of clients come back spread over time.
    public struct Reconnect: Sendable, Hashable {
        /// Whether to reconnect after the connection is lost. Default: `true`.
        public var isEnabled: Bool = true
        /// The upper bound of the first delay; it doubles after each failed round. Default: 1 second.
        public var initialDelay: Duration = .seconds(1)
        /// The maximum of that bound. Default: 120 seconds.
        public var maximumDelay: Duration = .seconds(120)
        /// The minimum delay. Default: 250 milliseconds.
        public var minimumDelay: Duration = .milliseconds(250)
        /// How long a connection must last before delays start at `initialDelay` again, and attempts are counted from
        /// the beginning. Default: 30 seconds.
        public var stableAfter: Duration = .seconds(30)
        /// The random part of each delay, from 0 to 1. With 1, a delay is random between `minimumDelay` and the bound;
        /// with 0, it is the bound. Default: 1.
        public var jitter: Double = 1
        /// Whether to keep trying when a broker that has accepted the client before refuses its user name or password
        /// (reason codes 0x86 and 0x87). The provider may have new credentials, or the broker's user database may be
        /// unavailable for a while. Default: `true`.
        public var retriesRefusedCredentials: Bool = true
        /// The maximum number of consecutive attempts that fail or whose connection is lost before it is stable
        /// (``stableAfter``). The client then stops with the error of the last one. The first attempt of
        /// `connect(retrying: true)` counts; the loss of a connection that the first attempt made does not. With several
        /// servers, the limit is multiplied by their number. Default: `nil`, no limit.
        public var maximumAttempts: Int?
        /// The maximum number of consecutive redirections to another server (MQTT 5.0 section 4.11); 0 follows none.
        /// The client sends the other server the same credentials, with the same TLS settings. Default: 4.
        public var maximumRedirections: Int = 4

        /// All defaults.
        public init() {}

        /// For programs whose user is waiting: delays of 0.25 s to 1 s with little jitter. Stops if the broker refuses
        /// the credentials.
        public static let interactive: Self = {
            var reconnect = Self()
            reconnect.initialDelay = .milliseconds(250)
            reconnect.maximumDelay = .seconds(1)
            reconnect.jitter = 0.2
            reconnect.retriesRefusedCredentials = false
            return reconnect
        }()

        /// Does not reconnect.
        public static let disabled: Self = {
            var reconnect = Self()
            reconnect.isEnabled = false
            return reconnect
        }()

        /// These settings for the state machine.
        package var settings: ReconnectSettings {
            var settings = ReconnectSettings()
            settings.baseDelay = self.initialDelay
            settings.maximumDelay = self.maximumDelay
            settings.minimumDelay = self.minimumDelay
            settings.stableAfter = self.stableAfter
            settings.jitter = self.jitter
            settings.retriesRefusedCredentials = self.retriesRefusedCredentials
            settings.maximumAttempts = self.maximumAttempts
            settings.maximumRedirections = self.maximumRedirections
            return settings
        }
    }
}

public import CurlewCore

extension MQTTConfiguration {
    /// Protocol version, keep alive, and how long each step may take.
    public struct Connection: Sendable {
        /// The protocol version to speak. Default: `.automatic`.
        public var version: Version = .automatic

        /// The longest silence of the client, in whole seconds up to 65,535: after it a PINGREQ proves that the connection
        /// lives (MQTT 5.0 section 3.1.2.10). A server may demand another value, which then holds. `.zero` turns it off, and with
        /// it the notice of a connection that died in silence. Default: 60 seconds.
        public var keepAlive: Duration = .seconds(60)

        /// How long name resolution, TCP and TLS may take together, for one server. Default: 10 seconds.
        public var connectTimeout: Duration = .seconds(10)

        /// How long the server may take from CONNECT to CONNACK, steps of enhanced authentication included. With the version
        /// `.automatic`, a server that is silent to 5.0 for half of it is asked in 3.1.1 for the other half. Default: 10 seconds.
        public var handshakeTimeout: Duration = .seconds(10)

        /// How long the server may take to answer PINGREQ, before the connection counts as lost. Any packet that arrives in the
        /// meantime is proof of life too. Default: 10 seconds.
        public var pingTimeout: Duration = .seconds(10)

        /// How long a publish, subscribe or unsubscribe may wait for the server, from the call on and with the time in which
        /// there is no connection, where the call gives no time of its own. Then it throws `timedOut`, whose
        /// ``MQTTError/delivery`` says whether a message was sent; one that was not is dropped. The connection stays.
        ///
        /// Default: `nil`, as long as it takes: through any number of reconnections, and for ever where a server answers
        /// pings and nothing else. Set it, or give a time with each call, where no wait may be without end; requests always
        /// have one.
        public var acknowledgementTimeout: Duration?

        /// The address of this machine, or its name, that connections begin at: to choose among several networks.
        /// Default: none, the operating system chooses.
        public var localAddress: String?

        /// How long the server may take to close the connection after DISCONNECT, before this end closes it.
        /// Default: 5 seconds.
        public var disconnectTimeout: Duration = .seconds(5)

        /// How long a graceful disconnect waits for what is queued and unacknowledged, where the call gives no other time.
        /// Default: 10 seconds.
        public var drainTimeout: Duration = .seconds(10)

        /// All defaults.
        public init() {}
    }

    /// The protocol version to speak.
    public struct Version: Sendable, Hashable, CustomStringConvertible {
        /// The one version; `nil` for automatic.
        package let exact: ProtocolVersion?

        /// 5.0; and 3.1.1, once, where the server refuses 5.0, closes the connection, or does not answer within half of
        /// `connection.handshakeTimeout`.
        public static let automatic = Self(exact: nil)

        /// This version and no other.
        public static func exactly(_ version: ProtocolVersion) -> Self { Self(exact: version) }

        /// `automatic`, or the version as people write it.
        public var description: String { self.exact?.description ?? "automatic" }
    }

    /// The name by which a server knows a client and its session (MQTT 5.0 section 3.1.3.1). Two clients that use one name at
    /// one server push each other out.
    public struct ClientIdentifier: Sendable, Hashable, CustomStringConvertible {
        package enum Kind: Sendable, Hashable {
            case generated(prefix: String)
            case given(String)
            case assignedByServer
        }

        package let kind: Kind

        /// `prefix` and 16 random letters and digits, drawn once for each client and kept through its reconnections.
        ///
        /// With a prefix of up to 7 letters and digits, every server must accept it [MQTT-3.1.3-5].
        public static func generated(prefix: String = "curlew") -> Self { Self(kind: .generated(prefix: prefix)) }

        /// This very identifier: what a session needs that shall outlive the process.
        public static func given(_ identifier: String) -> Self { Self(kind: .given(identifier)) }

        /// The server chooses. With 5.0 it says what it chose, and the client keeps that through its reconnections; before,
        /// nobody learns it, so that no session outlives its connection.
        public static let assignedByServer = Self(kind: .assignedByServer)

        /// The identifier, or how it comes about.
        public var description: String {
            switch self.kind {
            case .generated(let prefix): "\(prefix)…"
            case .given(let identifier): identifier
            case .assignedByServer: "(assigned by the server)"
            }
        }

        /// How many random characters follow the prefix of a generated identifier: 95 bits, and 23 bytes together with a
        /// prefix of 7.
        static let generatedLength = 16

        /// The identifier to send at the first connection; empty where the server shall choose.
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
    /// Whether and when a lost connection is made again. The wait before a try is a random time between `floor` and a bound that
    /// begins at `base` and doubles with each round of failures up to `cap`; ``jitter`` makes it less random.
    ///
    /// ```swift
    /// configuration.reconnect = .interactive      // for a person who waits
    /// configuration.reconnect.jitter = 0          // 1 s, 2 s, 4 s …, the same each time
    /// ```
    ///
    /// The defaults are for fleets: thousands of clients that lost one server at the same moment come back spread over time.
    public struct Reconnect: Sendable, Hashable {
        /// Whether to reconnect after the loss of a connection. Default: `true`.
        public var isEnabled: Bool = true
        /// The upper bound of the first delay; it doubles with each failed try. Default: 1 second.
        public var initialDelay: Duration = .seconds(1)
        /// The maximum of that bound. Default: 120 seconds.
        public var maximumDelay: Duration = .seconds(120)
        /// The shortest delay. Default: 250 milliseconds.
        public var minimumDelay: Duration = .milliseconds(250)
        /// How long a connection must last before delays start at `initialDelay` again. Default: 30 seconds.
        public var stableAfter: Duration = .seconds(30)
        /// The random part of each delay, from 0 to 1. With 1 a delay is random between `minimumDelay` and the bound; with 0 it is the
        /// bound. Default: 1.
        public var jitter: Double = 1
        /// Whether to try again when a server that has accepted the client before refuses its user name or password (reason codes
        /// 0x86 and 0x87): a provider may have new credentials, or the server's user database be out of order. Default: `true`.
        public var retriesRefusedCredentials: Bool = true
        /// How many tries in a row to connect again may fail, or lead to a connection that is lost before it was stable; the client
        /// then stops with the error of the last one. With several servers, each is tried so often.
        /// Default: `nil`, no limit.
        public var maximumTries: Int?
        /// How many times in a row a server may send the client to another one (MQTT 5.0 section 4.11); 0 is to follow none.
        /// The other server is told the same credentials, under the same TLS settings. Default: 4.
        public var maximumRedirections: Int = 4

        /// All defaults.
        public init() {}

        /// For programs whose user waits: delays of 0.25 s to 1 s with little jitter; stops if the broker refuses the credentials.
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

        /// The settings of the state machine.
        package var settings: ReconnectSettings {
            var settings = ReconnectSettings()
            settings.baseDelay = self.initialDelay
            settings.maximumDelay = self.maximumDelay
            settings.minimumDelay = self.minimumDelay
            settings.stableAfter = self.stableAfter
            settings.jitter = self.jitter
            settings.retriesRefusedCredentials = self.retriesRefusedCredentials
            settings.maximumTries = self.maximumTries
            settings.maximumRedirections = self.maximumRedirections
            return settings
        }
    }
}

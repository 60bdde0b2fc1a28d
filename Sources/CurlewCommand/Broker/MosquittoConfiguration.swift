#if Tools
import CurlewBroker

/// The content of a mosquitto.conf, with mosquitto's defaults.
struct MosquittoConfiguration: Sendable {
    /// The listeners; the default listener, if there is one, is the last.
    var listeners: [MosquittoListener] = []
    /// The places of each listener's options, in the same order.
    var places: [[String: FilePlace]] = []
    var limits = Self.defaultLimits
    var behavior = MQTTBrokerConfiguration.Behavior()
    var systemTopicInterval: Duration = .seconds(10)
    /// The maximum payload size in bytes; `nil` for no limit.
    var maximumPayload: Int?
    var log = LogSettings()
    /// Warnings about lines that mosquitto accepts.
    var warnings: [FileProblem] = []

    /// Mosquitto's limits; those without an option in mosquitto have Curlew's defaults.
    private static var defaultLimits: MQTTBrokerConfiguration.Limits {
        var limits = MQTTBrokerConfiguration.Limits()
        limits.maximumPacketSize = UInt32(PacketSize.largest)
        limits.maximumInFlightMessages = 20
        limits.receiveMaximum = 20
        limits.maximumInFlightBytes = nil
        limits.maximumQueuedMessages = 1000
        limits.maximumQueuedBytes = .max
        limits.countsPayloadsOnly = true
        limits.topicAliasMaximum = 10
        return limits
    }
}

/// A listener as mosquitto.conf describes it.
struct MosquittoListener: Equatable, Sendable {
    /// The place of its `listener` line; `nil` for the default listener.
    var place: FilePlace?
    var port: Int?
    /// `nil` for all addresses of the machine.
    var host: String?
    /// The path of a Unix domain socket; then there is no port.
    var socketFile: String?
    var isWebSocket = false
    /// The maximum size of the header of a WebSocket's request; `nil` for the default.
    var headerSize: Int?
    /// The folder of files for browsers.
    var staticFiles: String?
    /// The origins of pages that may open a WebSocket; empty for the default.
    var origins: Set<String> = []
    var family = MQTTBrokerConfiguration.Listener.AddressFamily.any
    var maximumConnections: Int?
    var maximumQoS = QoS.exactlyOnce
    var topicAliasMaximum: UInt16 = 10
    var usesUsernameAsClientIdentifier = false
    var security = MosquittoSecurity()
    var tls = MosquittoTLS()

    /// Whether this is the listener of a file that describes none: only for this machine, and open to anonymous
    /// clients.
    var isLocal = false
}

/// Who may connect and what they may do: for all listeners or, with `per_listener_settings`, for one.
struct MosquittoSecurity: Equatable, Sendable {
    /// `nil` for mosquitto's default, which depends on the listener.
    var allowsAnonymous: Bool?
    var passwordFile: String?
    var accessFile: String?
    var preSharedKeyFile: String?
    var assignsClientIdentifiers = true
    var assignedIdentifierPrefix = "auto-"
}

/// The TLS settings of a listener in mosquitto.conf.
struct MosquittoTLS: Equatable, Sendable {
    var authoritiesFile: String?
    var authoritiesFolder: String?
    var revocationFile: String?
    var certificateFile: String?
    var keyFile: String?
    var requiresCertificate = false
    var usesCommonNameAsUsername = false
    var usesSubjectAsUsername = false
    var minimumVersion: TLSSettings.Version?
    var cipherSuites: [String] = []
    var preSharedKeyHint: String?

    /// Whether the listener uses TLS.
    var isOn: Bool { self.certificateFile != nil || self.preSharedKeyHint != nil }
}
#endif

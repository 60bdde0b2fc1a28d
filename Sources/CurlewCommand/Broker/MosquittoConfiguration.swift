#if Tools
import CurlewBroker

/// What a mosquitto.conf says, with mosquitto's defaults for what it does not say.
struct MosquittoConfiguration: Sendable {
    /// Where to listen, the default listener last if there is one.
    var listeners: [MosquittoListener] = []
    /// Where the options of each of them stand, in the same order.
    var places: [[String: FilePlace]] = []
    var limits = Self.defaultLimits
    var behaviour = MQTTBrokerConfiguration.Behaviour()
    var systemTopicInterval: Duration = .seconds(10)
    /// The largest payload in bytes that is passed on; `nil` for any.
    var maximumPayload: Int?
    var log = LogSettings()
    /// What is no mistake for mosquitto, and yet worth a word.
    var warnings: [FileProblem] = []

    /// Those of mosquitto; what it has no option for is as Curlew has it.
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
    /// Where it begins; `nil` for the default listener, which begins with the file.
    var place: FilePlace?
    var port: Int?
    /// `nil` for all addresses of the machine.
    var host: String?
    var family = MQTTBrokerConfiguration.Listener.AddressFamily.any
    var maximumConnections: Int?
    var maximumQoS = QoS.exactlyOnce
    var topicAliasMaximum: UInt16 = 10
    var usesUsernameAsClientIdentifier = false
    var security = MosquittoSecurity()
    var tls = MosquittoTLS()

    /// The listener that there is where the file describes none: for clients of this machine, and without asking who they are.
    var isLocal = false
}

/// Who may connect and do what: for all listeners, or with `per_listener_settings` for one.
struct MosquittoSecurity: Equatable, Sendable {
    /// `nil` for mosquitto's default, which depends on the listener.
    var allowsAnonymous: Bool?
    var passwordFile: String?
    var accessFile: String?
    var preSharedKeyFile: String?
    var assignsClientIdentifiers = true
    var assignedIdentifierPrefix = "auto-"
}

/// How a listener does TLS, as mosquitto.conf says it.
struct MosquittoTLS: Equatable, Sendable {
    var authoritiesFile: String?
    var authoritiesFolder: String?
    var certificateFile: String?
    var keyFile: String?
    var requiresCertificate = false
    var usesCommonNameAsUsername = false
    var usesSubjectAsUsername = false
    var minimumVersion: TLSSettings.Version?
    var cipherSuites: [String] = []
    var preSharedKeyHint: String?

    /// Whether clients are asked for certificates or keys, and so whether there is TLS at all.
    var isOn: Bool { self.certificateFile != nil || self.preSharedKeyHint != nil }
}
#endif

#if Tools
import Curlew
import CurlewCore
import NIOCore

/// The result of arguments and environment: which broker to connect to, and how.
struct CommandSettings {
    var configuration: MQTTConfiguration
    /// The topics of the URLs.
    var topics: [String] = []
    /// The requested protocol version; `nil` for automatic.
    var version: ProtocolVersion? { self.configuration.connection.version.exact }
    /// Whether the session is kept after the command exits.
    var keepsSession = false
    var timeLimit: Duration?
    /// How long to wait for the broker's answer, or for a lost connection to come back; `nil` if only -W limits that.
    var patience: Duration?
    var isTracing = false
    /// Whether to behave like the mosquitto command by whose name this one was called.
    let isMosquitto: Bool
    /// The properties of `-D`.
    let properties: PacketProperties
    /// The maximum number of unacknowledged messages.
    var inFlight: Int?

    private static let receiveMaximum = 65_535
    /// The default patience.
    static let usualPatience = Duration.seconds(30)

    /// Combines options and environment, options first, and checks the result.
    ///
    /// - Parameter usualVersion: The default version of the mosquitto command.
    init(
        _ options: ConnectionOptions, _ tls: TLSOptions, _ will: WillOptions, environment: CommandEnvironment,
        usualVersion: ProtocolVersion = .v3_1_1
    ) throws {
        self.isMosquitto = options.isMosquitto
        self.properties = try PacketProperties(options.properties)
        // Mosquitto's commands do not read environment variables.
        let all = options.isMosquitto ? CommandEnvironment { _ in nil } : environment
        var environment = all
        environment.yield(to: options, tls)
        if let file = options.passwordFile {
            let content: [UInt8]?
            do throws(SystemError) { content = try bytesOfFile(file) } catch {
                throw CommandFailure("The file '\(file)' of --password-file cannot be read: \(error).")
            }
            guard content != nil else { throw CommandFailure("The file '\(file)' of --password-file does not exist.") }
        }
        let servers = try ServerChoice(options, tls, &environment)
        // At the command line, messages of any size are wanted.
        var base = MQTTConfiguration()
        base.session.maximumPacketSize = PacketSize.largest
        do throws(MQTTError) {
            if !servers.urls.isEmpty {
                (self.configuration, self.topics) = try MQTTConfiguration.read(
                    urls: servers.urls, over: environment.variables, base: base)
            } else {
                self.configuration = base
                try self.configuration.apply(environment: environment.variables)
            }
        } catch {
            throw CommandFailure(environment.renamed(error))
        }
        try servers.apply(to: &self.configuration)
        if options.isMosquitto { self.configuration.connection.version = .exactly(usualVersion) }
        try self.apply(options)
        try self.applyProperties()
        try self.apply(tls, all, isURL: !servers.urls.isEmpty)
        self.configuration.will = try will.will(self.properties[.will])
        do throws(MQTTError) { try self.configuration.validate() } catch { throw CommandFailure(error) }
        // Mosquitto 2.0 sometimes exceeds a smaller Receive Maximum, which ends the connection.
        if self.configuration.session.receiveMaximum == MQTTConfiguration.Session().receiveMaximum {
            self.configuration.session.receiveMaximum = Self.receiveMaximum
        }
        // Room for every message that the broker may send at QoS 1 and 2, so that none is lost.
        self.configuration.queues.subscription.count = Self.receiveMaximum + 10_000
        self.configuration.queues.subscription.bytes = PacketSize.largest
        self.configuration.queues.subscription.sparesAcknowledged = true
        self.timeLimit = options.timeLimit?.duration
        self.applyPatience()
        self.inFlight = options.inFlight?.count
        self.isTracing = options.isTracing
        // Errors in the arguments are reported even with --quiet.
        if options.isQuiet { Diagnostics.beQuiet() }
    }

    /// Because a person or a script waits, the client reconnects quickly, and waiting for answers is limited.
    /// Mosquitto's commands wait without a limit.
    private mutating func applyPatience() {
        let isEnabled = self.configuration.reconnect.isEnabled
        self.configuration.reconnect = .interactive
        self.configuration.reconnect.isEnabled = isEnabled
        guard self.timeLimit == nil, !self.isMosquitto else { return }
        self.patience = Self.usualPatience
        if self.configuration.connection.acknowledgementTimeout == nil {
            self.configuration.connection.acknowledgementTimeout = Self.usualPatience
        }
    }

    private mutating func apply(_ options: ConnectionOptions) throws {
        self.configuration.connection.localAddress = options.localAddress
        if let proxy = options.proxy {
            do throws(TransportError) {
                self.configuration.proxy = proxy.isEmpty ? nil : try ProxySettings(url: proxy)
            } catch {
                throw CommandFailure("--proxy: \(error.message)")
            }
        }
        if let inFlight = options.inFlight?.count {
            self.configuration.session.receiveMaximum = min(inFlight, Self.receiveMaximum)
            self.configuration.session.maximumInFlightMessages = min(inFlight, 65_535)
        }
        if let version = options.version?.version { self.configuration.connection.version = .exactly(version) }
        if let keepAlive = options.keepAlive {
            self.configuration.connection.keepAlive = .seconds(Int(keepAlive.seconds))
        }
        if let identifier = options.identifier {
            self.configuration.clientIdentifier = identifier.isEmpty ? .assignedByServer : .given(identifier)
        }
        if let prefix = options.identifierPrefix {
            self.configuration.clientIdentifier = .given("\(prefix)\(processNumber)")
        }
        if options.username != nil || options.password != nil {
            var login = MQTTConfiguration.Login()
            if case .fixed(let known) = self.configuration.credentials.source { login = known }
            login.username = options.username ?? login.username
            login.password =
                options.password.map { .init(bytes: ByteBuffer(bytes: $0.keptBytes)) } ?? login.password
            self.configuration.credentials = .password(username: login.username, password: login.password)
        }
        try self.applySession(options)
    }

    private mutating func applySession(_ options: ConnectionOptions) throws {
        if options.keepsSession {
            guard case .given = self.configuration.clientIdentifier.kind else {
                throw CommandFailure("-c needs a client ID to find the session again; give one with -i.")
            }
            self.configuration.session.cleanStart = false
            self.configuration.session.expiry = .never
        }
        if options.isMosquitto, !options.properties.isEmpty {
            self.configuration.connection.version = .exactly(.v5_0)
        }
        // Mosquitto's commands ignore it before MQTT 5.
        if let expiry = options.expiry?.expiry, !options.isMosquitto || self.version == .v5_0 {
            guard (self.version ?? .v5_0) == .v5_0 else {
                throw CommandFailure(
                    "-x needs MQTT 5, but the version is set to \(self.configuration.connection.version).")
            }
            self.configuration.connection.version = .exactly(.v5_0)
            self.configuration.session.expiry = expiry
        }
        let usual = MQTTConfiguration.Session()
        self.keepsSession =
            options.expiry != nil || !self.configuration.session.cleanStart
            || self.configuration.session.expiry != usual.expiry
    }

    private mutating func apply(_ tls: TLSOptions, _ environment: CommandEnvironment, isURL: Bool) throws {
        try tls.apply(to: &self.configuration.tls, environment: environment)
        guard let first = tls.first, let server = self.configuration.servers.first(where: { !$0.scheme.isSecure })
        else { return }
        let remedy = isURL ? "use mqtts:// in the URL" : "use TLS for it, or leave the option out"
        throw CommandFailure("\(first) needs TLS, but the connection to \(server) does not use TLS; \(remedy).")
    }
}
#endif

#if Tools
import Curlew
import CurlewCore
import NIOCore

/// What arguments and environment come to: whom to talk to and how.
struct CommandSettings {
    var configuration: MQTTConfiguration
    /// The topics in the URLs.
    var topics: [String] = []
    /// The protocol version that was asked for; `nil` for automatic.
    var version: ProtocolVersion? { self.configuration.connection.version.exact }
    /// Whether somebody wants the session to outlive the command.
    var keepsSession = false
    var timeLimit: Duration?
    /// How long to wait for an answer, or for a lost connection to come back, in a command that is to end by itself. `nil`: as
    /// long as -W says.
    var patience: Duration?
    var isTracing = false
    /// Whether to behave as the command of mosquitto by whose name it was called.
    let isMosquitto: Bool
    /// What `-D` says.
    let properties: PacketProperties
    /// How many messages may be sent and not acknowledged.
    var inFlight: Int?

    private static let receiveMaximum = 65_535
    /// In place of -W.
    static let usualPatience = Duration.seconds(30)

    /// Puts options over the environment, and checks what comes of it. Nothing is sent.
    ///
    /// - Parameter usualVersion: What mosquitto's command speaks if it is not told otherwise.
    init(
        _ options: ConnectionOptions, _ tls: TLSOptions, _ will: WillOptions, environment: CommandEnvironment,
        usualVersion: ProtocolVersion = .v3_1_1
    ) throws {
        self.isMosquitto = options.isMosquitto
        self.properties = try PacketProperties(options.properties)
        // Mosquitto's commands know no such variables.
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
        // A person who asks for a message wants to have it, however large.
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
        // Mosquitto 2.0 at times sends more than a smaller Receive Maximum allows, which is the end of the connection.
        if self.configuration.session.receiveMaximum == MQTTConfiguration.Session().receiveMaximum {
            self.configuration.session.receiveMaximum = Self.receiveMaximum
        }
        // All that the server may send at QoS 1 and 2 must find room: there, nothing may be lost.
        self.configuration.queues.subscription.count = Self.receiveMaximum + 10_000
        self.configuration.queues.subscription.bytes = PacketSize.largest
        self.configuration.queues.subscription.sparesAcknowledged = true
        self.timeLimit = options.timeLimit?.duration
        self.applyPatience()
        self.inFlight = options.inFlight?.count
        self.isTracing = options.isTracing
        // What is wrong with the arguments has been said by now.
        if options.isQuiet { Diagnostics.beQuiet() }
    }

    /// A person or a script waits: connections are made again soon, and what is not answered comes to an end. Mosquitto's commands
    /// wait for answers without end.
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
        if let inFlight = options.inFlight?.count {
            self.configuration.session.receiveMaximum = min(inFlight, Self.receiveMaximum)
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
                throw CommandFailure("-c keeps a session, which needs a name to be found again; give one with -i.")
            }
            self.configuration.session.cleanStart = false
            self.configuration.session.expiry = .never
        }
        if options.isMosquitto, !options.properties.isEmpty {
            self.configuration.connection.version = .exactly(.v5_0)
        }
        // Mosquitto's commands pass over it before 5.0.
        if let expiry = options.expiry?.expiry, !options.isMosquitto || self.version == .v5_0 {
            guard (self.version ?? .v5_0) == .v5_0 else {
                throw CommandFailure(
                    "-x needs MQTT 5, and the version asked for is \(self.configuration.connection.version).")
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
        let remedy = isURL ? "use mqtts:// in the URL" : "use TLS there, or leave it out"
        throw CommandFailure("\(first) is about TLS, but \(server) is not spoken to over TLS; \(remedy).")
    }
}
#endif

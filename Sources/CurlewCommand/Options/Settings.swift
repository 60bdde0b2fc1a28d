#if Tools
    import Curlew
    import CurlewCore

    /// What arguments and environment come to: whom to talk to and how.
    struct Settings {
        var configuration: MQTTConfiguration
        /// The topic in the URL.
        var topic: String?
        /// The protocol version that was asked for; `nil` for automatic.
        var version: ProtocolVersion? { self.configuration.connection.version.exact }
        /// Whether somebody wants the session to outlive the command.
        var keepsSession = false
        var timeLimit: Duration?
        var isTracing = false

        private static let receiveMaximum = 65_535

        /// Puts options over the environment, and checks what comes of it. Nothing is sent.
        init(
            _ options: ConnectionOptions, _ tls: TLSOptions, _ will: WillOptions, environment: CommandEnvironment
        ) throws {
            let all = environment
            var environment = environment
            environment.yield(to: options, tls)
            do throws(MQTTError) {
                if let url = options.url {
                    (self.configuration, self.topic) = try MQTTConfiguration.read(
                        url: url, over: environment.variables)
                } else {
                    self.configuration = MQTTConfiguration()
                    try self.configuration.apply(environment: environment.variables)
                }
            } catch {
                throw Failure(environment.renamed(error))
            }
            try self.apply(options)
            try self.apply(tls, all, isURL: options.url != nil)
            self.configuration.will = will.will
            do throws(MQTTError) { try self.configuration.validate() } catch { throw Failure(error) }
            // Mosquitto 2.0 at times sends more than a smaller Receive Maximum allows, which is the end of the connection.
            if self.configuration.session.receiveMaximum == MQTTConfiguration.Session().receiveMaximum {
                self.configuration.session.receiveMaximum = Self.receiveMaximum
            }
            // All that the server may send at QoS 1 and 2 must find room: there, nothing may be lost.
            self.configuration.queues.subscription.count = Self.receiveMaximum + 10_000
            self.timeLimit = options.timeLimit?.duration
            self.isTracing = options.isTracing
        }

        private mutating func apply(_ options: ConnectionOptions) throws {
            if let port = options.port?.port, let index = self.configuration.servers.indices.first {
                self.configuration.servers[index].port = port
            }
            if let version = options.version?.version { self.configuration.connection.version = .exactly(version) }
            if let keepAlive = options.keepAlive { self.configuration.connection.keepAlive = .seconds(Int(keepAlive)) }
            if let identifier = options.identifier {
                self.configuration.clientIdentifier = identifier.isEmpty ? .assignedByServer : .given(identifier)
            }
            if options.username != nil || options.password != nil {
                var login = MQTTConfiguration.Login()
                if case .fixed(let known) = self.configuration.credentials.source { login = known }
                login.username = options.username ?? login.username
                login.password = options.password.map { .init($0) } ?? login.password
                self.configuration.credentials = .password(username: login.username, password: login.password)
            }
            try self.applySession(options)
        }

        private mutating func applySession(_ options: ConnectionOptions) throws {
            if options.keepsSession {
                guard case .given = self.configuration.clientIdentifier.kind else {
                    throw Failure("-c keeps a session, which needs a name to be found again; give one with -i.")
                }
                self.configuration.session.cleanStart = false
                self.configuration.session.expiry = .never
            }
            if let expiry = options.expiry?.expiry {
                guard (self.version ?? .v5_0) == .v5_0 else {
                    throw Failure(
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
            throw Failure("\(first) is about TLS, but \(server) is not spoken to over TLS; \(remedy).")
        }
    }

    extension CommandEnvironment {
        /// Gives way to options that say the same, and takes in those that decide together with variables which server it is.
        fileprivate mutating func yield(to options: ConnectionOptions, _ tls: TLSOptions) {
            if options.url != nil { self.remove("MQTT_URL", "MQTT_HOST", "MQTT_PORT", "MQTT_TLS") }
            if let host = options.host {
                // Port and TLS belong to the host that they were set with.
                if self["MQTT_HOST"] != nil { self.remove("MQTT_PORT", "MQTT_TLS") }
                self.remove("MQTT_URL")
                self["MQTT_HOST"] = host
            }
            if options.url == nil, self["MQTT_URL"] == nil {
                if let port = options.port { self["MQTT_PORT"] = String(port.port) }
                if tls.first != nil { self["MQTT_TLS"] = "true" }
            }
            if options.password != nil { self.remove("MQTT_PASSWORD", "MQTT_PASSWORD_FILE") }
            if options.identifier != nil { self.remove("MQTT_CLIENT_ID", "MQTT_CLIENT_ID_PREFIX") }
            if tls.authoritiesFile != nil || tls.authoritiesDirectory != nil || tls.usesSystemAuthorities {
                self.remove("MQTT_CA", "MQTT_CA_FILE", "MQTT_CA_DIRECTORY")
            }
            if tls.key != nil {
                self.remove(
                    "MQTT_CERTIFICATE", "MQTT_CERTIFICATE_FILE", "MQTT_PRIVATE_KEY", "MQTT_PRIVATE_KEY_FILE",
                    "MQTT_PRIVATE_KEY_PASSPHRASE")
            }
        }
    }
#endif

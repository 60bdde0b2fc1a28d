#if Tools
import CurlewBroker
import CurlewTransport

extension BrokerPlan {
    /// The plan of the options, or of the file that they name. Does not listen yet.
    ///
    /// - Parameters:
    ///   - variable: Returns the value of an environment variable; `nil` if it is unset or empty.
    ///   - complain: Called with each error in the file except the last, which is thrown.
    init(
        _ options: BrokerOptions, accounts: any BrokerAccounts, files: ConfigurationFiles,
        variable: (String) -> String?, complain: (String) -> Void
    ) async throws {
        let passphrase = variable("CURLEW_BROKER_TLS_KEY_PASSPHRASE")
        if let path = options.configurationFile {
            self = try await Self.configuration(path, files, complain)
                .plan(accounts: accounts, files: files, passphrase: passphrase)
        } else {
            try await self.init(options, accounts: accounts, passphrase: passphrase)
        }
        options.apply(to: &self.configuration)
        try self.configuration.checkUsernames(isFromFile: options.configurationFile != nil)
        if options.isVerbose { self.log.logEverything() }
    }

    private static func configuration(
        _ path: String, _ files: ConfigurationFiles, _ complain: (String) -> Void
    ) throws -> MosquittoConfiguration {
        let outcome: MosquittoReader.Outcome?
        do throws(SystemError) { outcome = try MosquittoReader.read(path, files: files) } catch {
            throw CommandFailure("The configuration file '\(path)' cannot be read: \(error).")
        }
        switch outcome {
        case nil: throw CommandFailure("The configuration file '\(path)' does not exist.")
        case .configuration(let configuration): return configuration
        case .problems(let problems):
            for problem in problems.dropLast() { complain(problem.description) }
            throw CommandFailure(problems.last?.description)
        }
    }

    private init(_ options: BrokerOptions, accounts: any BrokerAccounts, passphrase: String?) async throws {
        let tls = options.tls(passphrase: passphrase)
        self.addresses = try options.addresses
        self.configuration = MQTTBrokerConfiguration(
            listeners: self.addresses.map { address in
                var listener = address.listener(
                    tls: tls, webSocket: options.webSocket, permissions: options.socketMode?.permissions)
                listener.anonymous = options.allowsAnonymous ? .allowed : .local
                listener.trustedProxies = options.trustedProxies
                listener.usesProxyProtocol = options.usesProxyProtocol && address.scheme != .unix
                listener.usesUsernameAsClientIdentifier = options.usesUsernameAsClientIdentifier
                return listener
            })
        if let path = options.passwordFile {
            self.configuration.authenticators = [try await accounts.passwords(path)]
        }
        if let path = options.accessFile { self.configuration.authorizers = [try await accounts.access(path)] }
        options.apply(to: &self.configuration.limits)
        guard !options.allowsAnonymous, options.passwordFile == nil else { return }
        self.warnings = self.addresses.filter { !$0.isReachableOnlyLocally }.map {
            "Only clients on this machine can connect to \($0.url(bound: $0.port)); "
                + "give --password-file, or --allow-anonymous to accept anonymous clients."
        }
    }
}

extension MQTTBrokerConfiguration {
    /// Refuses rules that depend on user names if no authenticator verifies them: they would silently never apply.
    fileprivate func checkUsernames(isFromFile: Bool) throws {
        let remedy =
            isFromFile
            ? "set password_file, or start the broker with --trust-usernames to trust them."
            : "give --password-file, or --trust-usernames to trust them."
        for listener in self.listeners
        where (listener.authenticators ?? self.authenticators).isEmpty && !listener.trustsUnverifiedUsernames {
            if listener.usesUsernameAsClientIdentifier {
                let option = isFromFile ? "use_username_as_clientid" : "--use-username-as-clientid"
                throw CommandFailure("\(option) needs verified user names; \(remedy)")
            }
            for case let file as MQTTAccessFile in listener.authorizers ?? self.authorizers {
                guard let rule = file.usernameRule else { continue }
                throw CommandFailure("\(rule) never applies, because user names are not verified; \(remedy)")
            }
        }
    }
}

extension BrokerOptions {
    fileprivate var addresses: [ListenerAddress] {
        get throws {
            let isSecure = self.certificate != nil
            let usual = ListenerAddress(
                scheme: isSecure ? .mqtts : .mqtt, host: "127.0.0.1",
                port: self.port?.port ?? (isSecure ? 8883 : 1883))
            let given = try self.listen.flatMap { $0.split(separator: ",") }.map { url in
                do throws(Objection) { return try ListenerAddress(url: String(url)) } catch {
                    throw CommandFailure("--listen: \(error.sentence)")
                }
            }
            let addresses = given.isEmpty ? [usual] : given
            if !isSecure, let secure = addresses.first(where: \.scheme.isSecure) {
                throw CommandFailure(
                    "\(secure.url(bound: secure.port)) needs a certificate; give --tls-cert and --tls-key.")
            }
            if isSecure, !addresses.contains(where: \.scheme.isSecure) {
                throw CommandFailure(
                    "--tls-cert needs a listener with TLS; give a --listen that begins with mqtts:// or wss://.")
            }
            for proxy in self.trustedProxies where AddressRange(proxy) == nil {
                throw CommandFailure("--trust-proxy: '\(proxy)' is not an IP address or a range as in 10.0.0.0/8.")
            }
            if self.usesProxyProtocol, self.trustedProxies.isEmpty {
                throw CommandFailure("--proxy-protocol needs the addresses of the proxies; give --trust-proxy.")
            }
            if !self.origins.isEmpty, !addresses.contains(where: \.scheme.isWebSocket) {
                throw CommandFailure(
                    "--allow-origin needs a listener for WebSocket; give --listen ws://… or wss://….")
            }
            for origin in self.origins where WebSocketOrigins.normalized(origin) == nil {
                throw CommandFailure(
                    "--allow-origin: '\(origin)' is not the origin of a page; write scheme, host and port alone, as in "
                        + "https://example.com:8443.")
            }
            if self.socketMode != nil, !addresses.contains(where: { $0.scheme == .unix }) {
                throw CommandFailure(
                    "--socket-mode needs a Unix domain socket; give a --listen that begins with mqtt+unix://.")
            }
            return addresses
        }
    }

    fileprivate var webSocket: MQTTBrokerConfiguration.WebSocket {
        var webSocket = MQTTBrokerConfiguration.WebSocket()
        if self.origins.contains("*") {
            webSocket.origins = .any
        } else if !self.origins.isEmpty {
            webSocket.origins = .only(Set(self.origins))
        }
        return webSocket
    }

    func tls(passphrase: String?) -> MQTTBrokerConfiguration.TLS? {
        guard let certificate else { return nil }
        var tls = MQTTBrokerConfiguration.TLS(
            certificate: .init(chain: .file(certificate), key: self.key.map { .file($0) }, passphrase: passphrase))
        tls.clientTrustRoots = self.authorities.map { .file($0) }
        tls.revocationLists = self.revocationLists.map { [.file($0)] } ?? []
        tls.requiresClientCertificate = self.requiresCertificate
        return tls
    }

    /// The options that mosquitto.conf has no equivalent for, and that can therefore be combined with a file.
    fileprivate func apply(to configuration: inout MQTTBrokerConfiguration) {
        if let identifierConflict {
            configuration.behavior.identifierConflict = identifierConflict.behavior
        }
        configuration.behavior.endsSessionsOfRemovedUsers = !self.keepsSessionsOfRemovedUsers
        guard self.trustsUsernames else { return }
        for index in configuration.listeners.indices {
            configuration.listeners[index].trustsUnverifiedUsernames = true
        }
    }

    fileprivate func apply(to limits: inout MQTTBrokerConfiguration.Limits) {
        limits.maximumConnections = self.maximumConnections
        if let size = self.maximumPacketSize { limits.maximumPacketSize = UInt32(size) }
        if let count = self.maximumQueuedMessages { limits.maximumQueuedMessages = count }
        if let count = self.maximumQueuedBytes { limits.maximumQueuedBytes = count }
        if let count = self.maximumMemory { limits.maximumMemory = count }
        if let delay = self.maximumPublisherDelay { limits.maximumPublisherDelay = .milliseconds(delay) }
        if let count = self.maximumInFlightMessages {
            limits.maximumInFlightMessages = UInt16(count)
            limits.receiveMaximum = UInt16(count)
        }
        if let count = self.maximumInFlightBytes { limits.maximumInFlightBytes = count }
        if let seconds = self.maximumKeepAlive { limits.maximumKeepAlive = UInt16(seconds) }
        if let qos = self.maximumQoS { limits.maximumQoS = qos }
        if let maximum = self.topicAliasMaximum { limits.topicAliasMaximum = UInt16(maximum) }
        limits.maximumSessionExpiry = self.maximumSessionExpiry.map { .seconds($0) }
    }
}
#endif

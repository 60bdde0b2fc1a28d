#if Tools
import CurlewBroker
import CurlewTransport

extension MosquittoConfiguration {
    /// The plan that the file describes.
    ///
    /// - Parameter passphrase: The passphrase of encrypted private keys.
    /// - Throws: If a file that it names is invalid.
    func plan(
        accounts: any BrokerAccounts, files: ConfigurationFiles, passphrase: String? = nil
    ) async throws -> BrokerPlan {
        var accounts = BrokerAccountFiles(accounts)
        var configuration = MQTTBrokerConfiguration(listeners: [])
        for listener in self.listeners {
            configuration.listeners.append(try await listener.listener(&accounts, files: files, passphrase))
        }
        configuration.limits = self.limits
        configuration.behavior = self.behavior
        configuration.systemTopicInterval = self.systemTopicInterval
        if let maximumPayload { configuration.publishFilters = [PayloadLimit(maximum: maximumPayload)] }
        return BrokerPlan(
            configuration: configuration, addresses: self.listeners.map(\.address), log: self.log,
            warnings: self.warnings.map(\.description) + Self.warnings(about: configuration, self.listeners),
            settingName: { [places] index, setting in
                setting.inMosquittoConfiguration(places.indices.contains(index) ? places[index] : [:])
            })
    }
}

extension MosquittoConfiguration {
    /// Warnings about listeners that accept no client: since version 2, that is mosquitto's default.
    private static func warnings(
        about configuration: MQTTBrokerConfiguration, _ listeners: [MosquittoListener]
    ) -> [String] {
        zip(configuration.listeners, listeners).filter { listener, written in
            listener.anonymous == .refused && listener.authenticators?.isEmpty == true
                && written.security.preSharedKeyFile == nil
        }.map { _, written in
            "No client can connect to \(written.address.url(bound: written.address.port)): "
                + "set password_file, or allow_anonymous true."
        }
    }
}

extension TLSSetting {
    /// The option of mosquitto.conf that sets it, and its line.
    fileprivate func inMosquittoConfiguration(_ places: [String: FilePlace]) -> String {
        let options: [String]
        switch self {
        case .brokerCertificate: options = ["certfile"]
        case .brokerKey: options = ["keyfile"]
        case .clientTrustRoots, .chainAuthorities: options = ["cafile", "capath"]
        case .clientRevocationLists: options = ["crlfile"]
        case .brokerCipherSuites: options = ["ciphers"]
        case .minimumVersion: options = ["tls_version"]
        default: return TLSSettingNames(arguments: [], variable: { _ in nil }).name(self)
        }
        guard let option = options.first(where: { places[$0] != nil }), let place = places[option] else {
            return options[0]
        }
        return "\(option), \(place)"
    }
}

extension MosquittoListener {
    /// Where it listens.
    var address: ListenerAddress {
        if let socketFile { return ListenerAddress(scheme: .unix, host: "", port: 0, path: socketFile) }
        return ListenerAddress(
            scheme: self.isWebSocket ? self.tls.isOn ? .wss : .ws : self.tls.isOn ? .mqtts : .mqtt,
            host: self.host ?? (self.isLocal ? self.family == .ipv6 ? "::1" : "127.0.0.1" : "*"),
            port: self.port ?? 1883)
    }

    fileprivate func listener(
        _ accounts: inout BrokerAccountFiles, files: ConfigurationFiles, _ passphrase: String?
    ) async throws -> MQTTBrokerConfiguration.Listener {
        let tls = try self.tls.settings(
            keys: self.security.preSharedKeyFile, files: files, passphrase: passphrase)
        var webSocket = MQTTBrokerConfiguration.WebSocket()
        // 0 is mosquitto's default.
        if let headerSize, headerSize > 0 { webSocket.maximumHeaderSize = headerSize }
        webSocket.staticFiles = self.staticFiles
        if !self.origins.isEmpty { webSocket.origins = .only(self.origins) }
        var listener = self.address.listener(tls: tls, webSocket: webSocket)
        listener.addressFamily = self.family
        listener.maximumConnections = self.maximumConnections
        listener.maximumQoS = self.maximumQoS
        listener.topicAliasMaximum = self.topicAliasMaximum
        listener.usesUsernameAsClientIdentifier = self.usesUsernameAsClientIdentifier
        listener.assignsClientIdentifiers = self.security.assignsClientIdentifiers
        listener.assignedIdentifierPrefix = self.security.assignedIdentifierPrefix
        listener.authorizers = []
        if let path = self.security.accessFile { listener.authorizers = [try await accounts.access(path)] }
        if let name = self.tls.username {
            // The certificate identifies the client; mosquitto then requires no password.
            listener.authenticators = [try accounts.certificates(name)]
            listener.anonymous = .refused
        } else {
            listener.authenticators = []
            if let path = self.security.passwordFile {
                listener.authenticators = [try await accounts.passwords(path)]
            }
            listener.anonymous = self.security.allowsAnonymous ?? self.isLocal ? .allowed : .refused
        }
        return listener
    }
}

extension MosquittoTLS {
    /// If both are set, mosquitto uses the common name.
    fileprivate var username: CertificateName? {
        self.usesCommonNameAsUsername ? .commonName : self.usesSubjectAsUsername ? .subject : nil
    }

    func settings(
        keys path: String?, files: ConfigurationFiles, passphrase: String? = nil
    ) throws -> MQTTBrokerConfiguration.TLS? {
        guard self.isOn else { return nil }
        var tls = MQTTBrokerConfiguration.TLS()
        if let certificateFile {
            tls.certificate = .init(
                chain: .file(certificateFile), key: self.keyFile.map { .file($0) }, passphrase: passphrase)
        }
        let authorities: TLSSettings.TrustRoots? =
            self.authoritiesFile.map { .file($0) } ?? self.authoritiesFolder.map { .directory($0) }
        // Without require_certificate, mosquitto asks for no certificate, and uses the CAs to complete certfile's
        // chain.
        if self.requiresCertificate {
            tls.clientTrustRoots = authorities
            tls.requiresClientCertificate = true
            tls.revocationLists = self.revocationFile.map { [.file($0)] } ?? []
        } else {
            tls.chainAuthorities = authorities
        }
        tls.minimumVersion = self.minimumVersion ?? .tls12
        tls.cipherSuites = self.cipherSuites
        if let preSharedKeyHint, let path {
            tls.preSharedKeyHint = preSharedKeyHint
            tls.preSharedKeys = try PreSharedKeys.read(path, files: files)
            tls.preSharedKeySource = { try PreSharedKeys.read(path, files: files) }
        }
        return tls
    }
}

/// Rejects messages whose payload is larger than mosquitto's `message_size_limit`.
struct PayloadLimit: MQTTBrokerPublishFilter, Equatable {
    /// In bytes.
    let maximum: Int

    func willPublish(_ message: MQTTBrokerMessage, from client: MQTTBrokerClient?) -> MQTTPublishDecision {
        message.payload.readableBytes > self.maximum ? .deny(.implementationSpecificError) : .allow
    }
}
#endif

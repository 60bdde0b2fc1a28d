#if AWS && Accounts
import Curlew
import CurlewBroker
import CurlewCore
import Synchronization

/// What AWS IoT Core accepts and refuses.
final class AWSIoTRules: Sendable {
    /// Guards what clients did that AWS IoT Core does not accept.
    let violations = Mutex<[String]>([])
    private let limits = MQTTConfiguration.ServiceLimits.awsIoT
    private let authorizer: @Sendable (String, MQTTPassword?) -> Bool

    init(_ authorizer: @escaping @Sendable (String, MQTTPassword?) -> Bool) { self.authorizer = authorizer }

    fileprivate func violated(_ text: String) { self.violations.withLock { $0.append(text) } }

    /// A broker with three listeners: for port 8883, for port 443, and for WebSocket.
    func configuration(_ authority: TestAuthority, _ verifier: SigV4Verifier) throws -> MQTTBrokerConfiguration {
        let (chain, key) = try authority.serverIdentity()
        var tls = MQTTBrokerConfiguration.TLS(
            certificate: TLSSettings.Identity(chain: .pem(chain), key: .pem(key)))
        var webSocket = MQTTBrokerConfiguration.WebSocket(paths: ["/mqtt"])
        webSocket.refusal = { [weak self] target, host in
            do throws(SigV4Verifier.Refusal) {
                try verifier.verify(target, host: host, at: SigV4.systemTime())
                return nil
            } catch {
                self?.violated("\(error)")
                return "\(error)"
            }
        }
        var signed = MQTTBrokerConfiguration.Listener.webSocket(port: 0, tls: tls, settings: webSocket)
        signed.authenticators = [AWSIoTAuthenticator(rules: self, door: .signed)]
        tls.clientTrustRoots = try authority.trustRoots
        var main = MQTTBrokerConfiguration.Listener.tcp(port: 0, tls: tls)
        main.authenticators = [AWSIoTAuthenticator(rules: self, door: .certificates)]
        tls.requiresClientCertificate = false
        tls.applicationProtocols = ["x-amzn-mqtt-ca", "mqtt"]
        var shared = MQTTBrokerConfiguration.Listener.tcp(port: 0, tls: tls)
        shared.authenticators = [AWSIoTAuthenticator(rules: self, door: .applicationProtocols)]

        var configuration = MQTTBrokerConfiguration(listeners: [main, shared, signed])
        configuration.systemTopicInterval = .zero
        configuration.authorizers = [AWSIoTAuthorizer(rules: self)]
        configuration.publishFilters = [AWSIoTPublishFilter(rules: self)]
        configuration.limits.maximumQoS = self.limits.maximumQoS
        // As AWS announces it.
        configuration.limits.maximumPacketSize = 149_504
        configuration.limits.receiveMaximum = 100
        configuration.limits.maximumInFlightMessages = 100
        configuration.limits.topicAliasMaximum = 8
        configuration.limits.maximumKeepAlive = 1200
        configuration.limits.maximumSubscriptionsPerClient = 50
        configuration.limits.maximumFiltersPerSubscribe = 8
        return configuration
    }

    // MARK: Decisions

    fileprivate func mayConnect(_ attempt: MQTTConnectionAttempt, through door: AWSIoTAuthenticator.Door) -> Bool {
        let identifier = attempt.client.identifier
        if let maximum = self.limits.maximumClientIdentifierLength, identifier.utf8.count > maximum {
            self.violated(
                "The client identifier has \(identifier.utf8.count) bytes; AWS IoT Core accepts at most \(maximum).")
            return false
        }
        switch (door, attempt.applicationProtocol) {
        case (.signed, _): return true
        case (.certificates, _), (.applicationProtocols, "x-amzn-mqtt-ca"?):
            if attempt.certificate == nil { self.violated("The client has no certificate.") }
            return attempt.certificate != nil
        case (.applicationProtocols, "mqtt"?):
            return self.authorizer(attempt.client.username ?? "", attempt.password)
        case (.applicationProtocols, _):
            self.violated("The client offers no application protocol (ALPN) that port 443 needs.")
            return false
        }
    }

    fileprivate func permits(_ topic: String) -> Bool {
        guard let excess = self.limits.excess(of: topic) else { return true }
        self.violated("AWS IoT Core \(excess).")
        return false
    }

    fileprivate func permits(payloadOf size: Int) -> Bool {
        guard let maximum = self.limits.maximumPayloadSize, size > maximum else { return true }
        self.violated("A payload has \(size) bytes; AWS IoT Core accepts at most \(maximum).")
        return false
    }
}

private struct AWSIoTAuthenticator: MQTTBrokerAuthenticator {
    /// How clients prove their identity.
    enum Door {
        case certificates
        case applicationProtocols
        case signed
    }

    let rules: AWSIoTRules
    let door: Door

    func authenticate(_ attempt: MQTTConnectionAttempt) async throws -> MQTTAuthenticationDecision {
        self.rules.mayConnect(attempt, through: self.door) ? .allow : .deny(.notAuthorized)
    }
}

private struct AWSIoTAuthorizer: MQTTBrokerAuthorizer {
    let rules: AWSIoTRules

    func authorize(_ client: MQTTBrokerClient, _ action: MQTTBrokerAction) -> MQTTAuthorizationDecision {
        switch action {
        case .publish(let topic): self.rules.permits(topic.string) ? .allow : .deny
        case .subscribe(let filter): self.rules.permits(filter.filter) ? .allow : .deny
        default: .abstain
        }
    }
}

private struct AWSIoTPublishFilter: MQTTBrokerPublishFilter {
    let rules: AWSIoTRules

    func willPublish(_ message: MQTTBrokerMessage, from client: MQTTBrokerClient?) -> MQTTPublishDecision {
        self.rules.permits(payloadOf: message.payload.readableBytes) ? .allow : .deny(.quotaExceeded)
    }
}
#endif

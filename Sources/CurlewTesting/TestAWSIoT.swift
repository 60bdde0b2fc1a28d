#if AWS && Accounts
public import Curlew
import CurlewBroker
import CurlewTransport
public import Logging
import Synchronization

/// Runs a stand-in for AWS IoT Core on this machine while `body` runs, to test programs that connect to AWS IoT Core
/// without an account.
///
/// ```swift
/// try await withAWSIoT { aws in
///     let client = try MQTTClient(aws.configuration(clientIdentifier: "camera-7"))
///     try await client.connect()
///     …
///     #expect(aws.violations.isEmpty)
/// }
/// ```
///
/// Needs the package traits `AWS` and `Accounts`, which are enabled by default. It is a broker with the rules that AWS documents: client certificates, ALPN on port 443, signed WebSocket requests,
/// custom authorizers; no QoS 2, at most 8 topic filters in a SUBSCRIBE, payloads up to 128 KiB, topics with up to 7
/// slashes, client identifiers up to 128 bytes, keep alive up to 1,200 seconds. Policies, shadows, jobs and rules are not
/// imitated.
///
/// - Parameters:
///   - logger: Where the broker logs to. Default: it logs nothing.
///   - authorizer: The custom authorizer: whether it accepts a user name, including the parameters after its `?`, and a
///     password. Default: accepts none.
///   - body: Uses the stand-in.
/// - Throws: What `body` throws, or `MQTTBrokerError` if the broker cannot start.
public func withAWSIoT<Result>(
    logger: Logger? = nil,
    authorizer: @escaping @Sendable (_ username: String, _ password: MQTTPassword?) -> Bool = { _, _ in false },
    _ body: (TestAWSIoT) async throws -> Result
) async throws -> Result {
    let aws = try TestAWSIoT(authorizer, logger: logger)
    try await aws.start()
    do {
        let result = try await body(aws)
        await aws.stop()
        return result
    } catch {
        await aws.stop()
        throw error
    }
}

/// A stand-in for AWS IoT Core that runs for one test.
public final class TestAWSIoT: Sendable {
    /// The region in which it pretends to be.
    public let region = "eu-central-1"
    /// The only credentials that it accepts for signatures.
    public let credentials: AWSCredentials
    private let authority: TestAuthority
    private let broker: MQTTBroker
    private let rules: AWSIoTRules
    /// Guards the ports that the listeners are bound to, in their order.
    private let ports = Mutex<[Int]>([])

    init(
        _ authorizer: @escaping @Sendable (String, MQTTPassword?) -> Bool, logger: Logger?
    ) throws {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
        func random(_ count: Int) -> String { String((0..<count).map { _ in letters[.random(in: letters.indices)] }) }
        self.credentials = AWSCredentials(
            accessKeyID: "AKIA" + random(16), secretAccessKey: random(40), sessionToken: random(80))
        self.authority = try TestAuthority()
        self.rules = AWSIoTRules(authorizer)
        self.broker = MQTTBroker(
            try self.rules.configuration(
                self.authority,
                SigV4Verifier(
                    SigV4(region: self.region, service: SigV4.iotDeviceGateway), credentials: [self.credentials])),
            logger: logger)
    }

    /// What clients did that AWS IoT Core does not accept, one sentence each: rejected authentications, topics, payloads
    /// and client identifiers. Unlike AWS IoT Core, the stand-in refuses a packet and keeps the connection open. Its other
    /// limits are enforced, but not recorded here.
    public var violations: [String] { self.rules.violations.withLock { $0 } }

    /// The configuration of a client with a certificate that is issued for it.
    ///
    /// - Parameters:
    ///   - clientIdentifier: The client identifier, which is also the common name of the certificate.
    ///   - port: 8883 or 443, as for `AWSIoTAuthentication.certificate(_:port:)`; the client connects to the stand-in's
    ///     port for it. Default: 8883.
    /// - Throws: An error if the certificate cannot be created.
    public func configuration(clientIdentifier: String, port: Int = 8883) throws -> MQTTConfiguration {
        let (chain, key) = try self.authority.clientIdentity(clientIdentifier)
        let certificate = TLSSettings.Identity(chain: .pem(chain), key: .pem(key))
        return try self.configuration(
            clientIdentifier: clientIdentifier, authentication: .certificate(certificate, port: port))
    }

    /// The configuration of a client. For signatures, pass the region:
    /// `.signature(credentials: .fixed(aws.credentials), region: aws.region)`.
    ///
    /// - Throws: `MQTTError` as `MQTTConfiguration.awsIoT(endpoint:clientIdentifier:authentication:trustRoots:)` does.
    public func configuration(
        clientIdentifier: String, authentication: AWSIoTAuthentication
    ) throws -> MQTTConfiguration {
        var configuration = try MQTTConfiguration.awsIoT(
            endpoint: "localhost", clientIdentifier: clientIdentifier, authentication: authentication,
            trustRoots: try self.authority.trustRoots)
        self.redirect(&configuration)
        return configuration
    }

    /// The environment variables of a device, with its certificate and key in Base64; for
    /// `MQTTConfiguration.awsIoT(environment:writesMissingFiles:port:)`. Pass the configuration to
    /// ``redirect(_:)``.
    ///
    /// - Throws: An error if the certificate cannot be created.
    public func environment(clientIdentifier: String) throws -> [String: String] {
        let (chain, key) = try self.authority.clientIdentity(clientIdentifier)
        return [
            "AWS_IOT_CORE_ENDPOINT": "localhost", "AWS_IOT_CLIENT_ID": clientIdentifier,
            "AWS_IOT_CERT_BASE64": Base64.encode(Array(chain.utf8)),
            "AWS_IOT_KEY_BASE64": Base64.encode(Array(key.utf8)),
            "AWS_IOT_ROOT_CERT_BASE64": Base64.encode(Array(try self.authority.pem.utf8)),
        ]
    }

    /// Replaces the ports of the servers by those of the stand-in. The host must be `localhost`, as in
    /// ``environment(clientIdentifier:)``.
    public func redirect(_ configuration: inout MQTTConfiguration) {
        let ports = self.ports.withLock { $0 }
        for index in configuration.servers.indices {
            let server = configuration.servers[index]
            let listener = server.scheme == .wss ? 2 : server.port == 443 ? 1 : 0
            if listener < ports.count { configuration.servers[index].port = ports[listener] }
        }
    }

    fileprivate func start() async throws {
        try await self.broker.start()
        let ports = await self.broker.listeners.map(\.port)
        self.ports.withLock { $0 = ports }
    }

    fileprivate func stop() async { await self.broker.stop() }
}
#endif

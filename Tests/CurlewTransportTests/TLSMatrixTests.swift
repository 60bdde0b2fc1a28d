import CurlewTransport
import Testing

/// Certificates with each kind of key, each key usage and each order of the chain (see
/// `scripts/make-test-certificates`). Serialized, because each test makes several handshakes, for each of which a
/// listener waits 10 seconds.
@Suite("TLS with every kind of certificate", .serialized, .timeLimit(.minutes(5)))
struct TLSMatrixTests {
    enum Kind: String, CaseIterable {
        case rsa
        case p256 = "P-256"
        case p384 = "P-384"
        case p521 = "P-521"
        case ed25519

        var isEllipticCurve: Bool { self == .p256 || self == .p384 || self == .p521 }
    }

    /// The key usage that the certificate permits.
    enum Usage: String, CaseIterable {
        case none
        case enciphers
        case signs
        case both
    }

    private static func pair(_ chain: String, key: String) -> TLSSettings.Identity {
        TLSSettings.Identity(
            chain: Fixture.file("matrix/\(chain).pem"), key: Fixture.file("matrix/\(key).key.pem"))
    }

    private static func pair(_ kind: Kind, _ usage: Usage) -> TLSSettings.Identity {
        self.pair("\(kind.rawValue)-\(usage.rawValue)", key: kind.rawValue)
    }

    private static func client(root: String = "root", _ change: (inout TLSSettings) -> Void = { _ in }) -> TLSSettings {
        var settings = TLSSettings()
        settings.trustRoots = .file(Fixture.path("matrix/\(root).pem"))
        change(&settings)
        return settings
    }

    /// Sends some bytes and gets them back; returns the error if that fails.
    private func roundTrip(
        _ pair: TLSSettings.Identity, _ client: TLSSettings = Self.client(),
        _ change: (inout TLSServerSettings) -> Void = { _ in }
    ) async throws -> TransportError? {
        var server = TLSServerSettings(certificate: pair)
        change(&server)
        do {
            return try await withListener(tls: server, accepted: Accepted(echoes: true)) { port, _ in
                let near = try await SocketConnector(timeout: .seconds(60), tls: client)
                    .probe(Endpoint(host: "localhost", port: port, security: .tls))
                try await near.write("hello")
                // The broker's objections to the client arrive after the client's own handshake is over.
                reading: while let event = await near.nextEvent() {
                    switch event {
                    case .read: break reading
                    case .closed(let error):
                        return error ?? TransportError(.connectionLost, "closed without an error")
                    default: continue
                    }
                }
                near.link.close()
                return nil
            }
        } catch let error as TransportError {
            return error
        }
    }

    // MARK: The broker's certificate

    @Test(
        "A broker's key that may sign works with TLS 1.2 and 1.3", arguments: Kind.allCases,
        [Usage.none, .signs, .both])
    func broker(kind: Kind, usage: Usage) async throws {
        for version in [TLSSettings.Version.tls12, .tls13] {
            let error = try await self.roundTrip(Self.pair(kind, usage)) {
                $0.minimumVersion = version
                $0.maximumVersion = version
            }
            #expect(error == nil, "\(version)")
        }
    }

    @Test("An RSA key that may only encipher works up to TLS 1.2")
    func enciphering() async throws {
        #expect(try await self.roundTrip(Self.pair(.rsa, .enciphers)) == nil)
        #expect(try await self.roundTrip(Self.pair(.rsa, .enciphers)) { $0.maximumVersion = .tls12 } == nil)
    }

    @Test("If a signature is needed, the error says that the certificate does not permit it")
    func encipheringInTLS13() async throws {
        for client in [Self.client { $0.minimumVersion = .tls13 }, Self.client()] {
            let error = try await self.roundTrip(Self.pair(.rsa, .enciphers), client) { $0.minimumVersion = .tls13 }
            #expect(error?.code == .certificateUnsuitable, "\(String(describing: error))")
            #expect(error?.message.contains("digitalSignature") == true)
        }
        let noSuite = Self.client { $0.cipherSuites = ["ECDHE-RSA-AES128-GCM-SHA256"] }
        #expect(try await self.roundTrip(Self.pair(.rsa, .enciphers), noSuite)?.code == .certificateUnsuitable)
    }

    @Test("A certificate that may only encipher is verified all the same")
    func encipheringVerified() async throws {
        let stranger = Self.client(root: "root-rsa")
        #expect(try await self.roundTrip(Self.pair(.rsa, .enciphers), stranger)?.code == .certificateNotTrusted)
        let elsewhere = Self.client { $0.serverName = "broker.example" }
        #expect(try await self.roundTrip(Self.pair(.rsa, .enciphers), elsewhere)?.code == .hostNameMismatch)
    }

    @Test("An attacker who uses another certificate to prevent forward secrecy is detected")
    func downgrade() async throws {
        var forged = TLSServerSettings(certificate: Self.pair(.rsa, .enciphers))
        forged.minimumVersion = .tls13
        let genuine = TLSServerSettings(certificate: Self.pair(.rsa, .both))
        let error = try await withListener(tls: forged) { forgedPort, _ in
            try await withListener(tls: genuine) { genuinePort, _ in
                let relay = Relay(ports: [forgedPort, genuinePort])
                let listener = try await SocketListener.bind { relay.accept($0) }
                let error = try await SocketConnector(tls: Self.client())
                    .failure(connectingTo: Endpoint(host: "127.0.0.1", port: listener.port, security: .tls))
                await listener.close()
                return error
            }
        }
        #expect(error.code == .tlsFailed && error.message.contains("two different certificates"), "\(error)")
    }

    @Test(
        "A key that can only sign, with a certificate that forbids it, is refused before listening",
        arguments: Kind.allCases.filter(\.isEllipticCurve))
    func useless(kind: Kind) async throws {
        let error = try await self.roundTrip(Self.pair(kind, .enciphers))
        #expect(error?.code == .invalidConfiguration)
        for text in ["\"\(kind.rawValue)-enciphers\"", "digitalSignature", "tls.certificate.chain"] {
            #expect(error?.message.contains(text) == true, "\(String(describing: error))")
        }
    }

    @Test(
        "An unsupported kind of key is reported by name",
        arguments: [("rsa-pss", "RSA-PSS"), ("ed448", "Ed448"), ("secp256k1", "secp256k1")])
    func unsupported(file: String, name: String) async throws {
        let error = try await self.roundTrip(Self.pair("\(file)-none", key: file))
        #expect(error?.code == .invalidConfiguration)
        for text in [name, "\(file).key.pem", "not supported", "P-256"] {
            #expect(error?.message.contains(text) == true, "\(String(describing: error))")
        }
    }

    @Test("A key file as written by `openssl ecparam` is accepted")
    func parameters() async throws {
        #expect(try await self.roundTrip(Self.pair("P-256-signs", key: "P-256.sec1")) == nil)
    }

    @Test(
        "The authority's key may be of any supported kind", arguments: ["rsa", "P-384", "P-521", "ed25519"])
    func authorities(kind: String) async throws {
        let client = Self.client(root: "root-\(kind)")
        #expect(try await self.roundTrip(Self.pair("by-\(kind)", key: "P-256"), client) == nil)
    }

    @Test("An expired authority, or one with the right name and another key, is reported as such")
    func wrongAuthorities() async throws {
        let expired = try await self.roundTrip(
            Self.pair("by-expired", key: "P-256"), Self.client(root: "root-expired"))
        #expect(expired?.code == .certificateNotTrusted)
        #expect(expired?.message.contains("expired on 2021-01-01") == true, "\(String(describing: expired))")
        let namesake = try await self.roundTrip(Self.pair(.p256, .signs), Self.client(root: "namesake"))
        #expect(namesake?.code == .certificateNotTrusted)
        #expect(namesake?.message.contains("has another key") == true, "\(String(describing: namesake))")
    }

    @Test(
        "A certificate for clients only is refused for a broker, with the reason",
        arguments: ["for-server", "for-both"])
    func purposes(name: String) async throws {
        #expect(try await self.roundTrip(Self.pair(name, key: "P-256")) == nil)
        let error = try await self.roundTrip(Self.pair("for-client", key: "P-256"))
        #expect(error?.code == .certificateUnsuitable)
        #expect(error?.message.contains("serverAuth") == true, "\(String(describing: error))")
    }

    // MARK: The client's certificate

    private func roundTrip(client pair: TLSSettings.Identity, _ version: TLSSettings.Version = .tls13)
        async throws -> TransportError?
    {
        try await self.roundTrip(Self.pair(.p256, .signs), Self.client { $0.clientCertificate = pair }) {
            $0.clientTrustRoots = .file(Fixture.path("matrix/root.pem"))
            $0.maximumVersion = version
        }
    }

    @Test(
        "A client's key that may sign works with TLS 1.2 and 1.3", arguments: Kind.allCases,
        [Usage.none, .signs, .both])
    func client(kind: Kind, usage: Usage) async throws {
        for version in [TLSSettings.Version.tls12, .tls13] {
            #expect(try await self.roundTrip(client: Self.pair(kind, usage), version) == nil, "\(version)")
        }
    }

    @Test("A client's key that may not sign is refused", arguments: Kind.allCases)
    func uselessClient(kind: Kind) async throws {
        for version in [TLSSettings.Version.tls12, .tls13] {
            let error = try await self.roundTrip(client: Self.pair(kind, .enciphers), version)
            #expect(error?.code == (kind.isEllipticCurve ? .invalidConfiguration : .clientCertificateRejected))
            for text in ["digitalSignature", "tls.clientCertificate"] {
                #expect(error?.message.contains(text) == true, "\(version): \(String(describing: error))")
            }
        }
    }

    @Test("A certificate that is not for clients is rejected, with the reason")
    func clientPurposes() async throws {
        #expect(try await self.roundTrip(client: Self.pair("for-client", key: "P-256")) == nil)
        let error = try await self.roundTrip(client: Self.pair("for-server", key: "P-256"))
        #expect(error?.code == .clientCertificateRejected)
        #expect(error?.message.contains("clientAuth") == true, "\(String(describing: error))")
    }

    // MARK: Chains

    private static func chain(_ names: String) throws -> TLSSettings.Identity {
        let files = ["l": "chained", "2": "intermediate-2", "1": "intermediate-1", "r": "root", "x": "for-both"]
        let bytes = try names.flatMap { try Fixture.bytes("matrix/\(files[String($0)] ?? "").pem") }
        return TLSSettings.Identity(chain: .bytes(bytes), key: Fixture.file("matrix/P-256.key.pem"))
    }

    @Test(
        "A chain may have any order, with or without the root",
        arguments: ["l21", "l21r", "12l", "r12l", "1lr2", "2l1", "l12", "l2211", "l21x"])
    func chains(order: String) async throws {
        let pair = try Self.chain(order)
        #expect(try await self.roundTrip(pair) == nil)
        #expect(try await self.roundTrip(client: pair) == nil)
    }

    @Test("A gap in the chain is reported with the missing authority", arguments: ["l", "l2", "2l"])
    func gap(order: String) async throws {
        let error = try await self.roundTrip(Self.chain(order))
        #expect(error?.code == .certificateNotTrusted)
        #expect(error?.message.contains("\"intermediate-2\"") == true, "\(String(describing: error))")
    }

    @Test("Missing parts of a chain are taken from the authorities, as OpenSSL does")
    func completion() async throws {
        let authorities = try ["root", "intermediate-1", "intermediate-2"].flatMap {
            try Fixture.bytes("matrix/\($0).pem")
        }
        let error = try await self.roundTrip(Self.chain("l")) {
            $0.chainAuthorities = .certificates(.bytes(authorities))
        }
        #expect(error == nil)
        let leaf = try Self.chain("l")
        let client = Self.client {
            $0.clientCertificate = leaf
            $0.trustRoots = .certificates(.bytes(authorities))
        }
        let asClient = try await self.roundTrip(Self.pair(.p256, .signs), client) {
            $0.clientTrustRoots = .file(Fixture.path("matrix/root.pem"))
        }
        #expect(asClient == nil)
    }
}

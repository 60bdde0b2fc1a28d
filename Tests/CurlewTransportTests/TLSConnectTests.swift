import CurlewCore
import CurlewTransport
import Foundation
import NIOCore
import NIOSSL
import Synchronization
import Testing

@Suite("TLS connections", .timeLimit(.minutes(1)))
struct TLSConnectTests {
    /// Sends some bytes and gets them back; returns the error if that fails.
    private func roundTrip(
        _ server: TLSServerSettings, _ client: TLSSettings, host: String = "localhost"
    ) async throws -> TransportError? {
        try await withListener(tls: server, accepted: Accepted(echoes: true)) { port, _ in
            do {
                let near = try await SocketConnector(tls: client)
                    .probe(Endpoint(host: host, port: port, security: .tls))
                try await near.write("hello")
                let answer = await near.read(5)
                near.link.close()
                return answer == "hello"
                    ? nil : TransportError(.connectionLost, "answered \"\(answer)\"")
            } catch let error as TransportError {
                return error
            }
        }
    }

    private func failure(
        _ server: TLSServerSettings, _ client: TLSSettings, host: String = "localhost"
    ) async throws -> TransportError {
        try await withListener(tls: server) { port, _ in
            try await SocketConnector(tls: client)
                .failure(connectingTo: Endpoint(host: host, port: port, security: .tls))
        }
    }

    // MARK: Connections that succeed

    @Test("Reloaded certificates apply to new connections, and a failed reload changes nothing")
    func reloading() async throws {
        let files = FileManager.default
        let directory = files.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString)")
        try files.createDirectory(at: directory, withIntermediateDirectories: false)
        defer { try? files.removeItem(at: directory) }
        let (chain, key) = (directory.appending(path: "chain.pem").path, directory.appending(path: "key.pem").path)
        func install(_ name: String) throws {
            for (source, target) in [("\(name).pem", chain), ("\(name).key.pem", key)] {
                try? files.removeItem(atPath: target)
                try files.copyItem(atPath: Fixture.path(source), toPath: target)
            }
        }
        try install("expired")
        let settings = TLSServerSettings(
            certificate: TLSSettings.Identity(chain: .file(chain), key: .file(key)))
        let accepted = Accepted(echoes: true)
        let listener = try await SocketListener.bind(tls: settings) { accepted.accept($0) }
        let endpoint = Endpoint(host: "localhost", port: listener.port, security: .tls)
        func isTrusted() async throws -> Bool {
            do {
                try await SocketConnector(tls: Fixture.client()).probe(endpoint).link.close()
                return true
            } catch is TransportError {
                return false
            }
        }
        #expect(try await !isTrusted())
        try install("server")
        #expect(try await !isTrusted())
        try listener.reloadCertificates()
        #expect(try await isTrusted())
        try Data("no certificate".utf8).write(to: URL(filePath: chain))
        #expect(throws: TransportError.self) { try listener.reloadCertificates() }
        #expect(try await isTrusted())
        await listener.close()
    }

    @Test("TLS 1.2 and TLS 1.3 work", arguments: [TLSSettings.Version.tls12, .tls13])
    func versions(version: TLSSettings.Version) async throws {
        let server = Fixture.server {
            $0.minimumVersion = version
            $0.maximumVersion = version
        }
        #expect(try await self.roundTrip(server, Fixture.client()) == nil)
    }

    @Test(
        "The certificate may name the host name or the address",
        arguments: ["localhost", "127.0.0.1"])
    func names(host: String) async throws {
        #expect(try await self.roundTrip(Fixture.server(), Fixture.client(), host: host) == nil)
    }

    @Test(
        "A server name in the settings replaces the host name",
        arguments: ["a.wild.example", "A.Wild.Example", "localhost."])
    func serverName(name: String) async throws {
        let client = Fixture.client { $0.serverName = name }
        #expect(try await self.roundTrip(Fixture.server(), client, host: "127.0.0.1") == nil)
    }

    @Test(
        "Trusted authorities come from a file, a directory or memory",
        arguments: [
            TLSSettings.TrustRoots.file(Fixture.path("ca.pem")), .directory(Fixture.directory),
            .file(Fixture.directory),
            .certificates(Fixture.file("ca.pem")),
        ])
    func trustRoots(roots: TLSSettings.TrustRoots) async throws {
        #expect(try await self.roundTrip(Fixture.server(), Fixture.client { $0.trustRoots = roots }) == nil)
    }

    @Test(
        "A client certificate comes from files or memory, as PEM, DER or base64, encrypted or not",
        arguments: [
            ("client.pem", "client.key.pem"), ("client.der", "client.key.der"), ("client.pem", "client.key.der"),
            ("client.pem", "client.encrypted.key.pem"), ("client.der", "client.encrypted.key.der"),
        ], ["file", "bytes", "base64"])
    func clientCertificate(names: (chain: String, key: String), form: String) async throws {
        func material(_ name: String) throws -> TLSSettings.Material {
            let bytes = try Fixture.bytes(name)
            return switch form {
            case "file": Fixture.file(name)
            case "bytes": .bytes(bytes)
            default: .base64(Fixture.base64(bytes))
            }
        }
        let server = Fixture.server { $0.clientTrustRoots = .file(Fixture.path("ca.pem")) }
        let certificate = TLSSettings.Identity(
            chain: try material(names.chain), key: try material(names.key),
            passphrase: names.key.contains("encrypted") ? Fixture.passphrase : nil)
        let client = Fixture.client { $0.clientCertificate = certificate }
        #expect(try await self.roundTrip(server, client) == nil)
    }

    @Test(
        "Both ends learn the application protocol that the broker chose",
        arguments: [
            (["mqtt"], ["x-amzn-mqtt-ca", "mqtt"], "mqtt"), (["a", "b"], ["b", "a"], "a"), (["a"], ["b"], nil),
            ([], ["mqtt"], nil), (["mqtt"], [], nil),
        ] as [([String], [String], String?)], [TLSSettings.Version.tls12, .tls13])
    func applicationProtocol(
        protocols: (supported: [String], offered: [String], chosen: String?), version: TLSSettings.Version
    ) async throws {
        let server = Fixture.server {
            $0.applicationProtocols = protocols.supported
            $0.maximumVersion = version
        }
        let client = Fixture.client { $0.applicationProtocols = protocols.offered }
        try await withListener(tls: server) { port, accepted in
            let near = try await SocketConnector(tls: client)
                .probe(Endpoint(host: "localhost", port: port, security: .tls))
            #expect(near.link.applicationProtocol == protocols.chosen)
            #expect(try await accepted.next().link.applicationProtocol == protocols.chosen)
            near.link.close()
        }
    }

    @Test(
        "A broker that refuses all offered application protocols is reported with them",
        arguments: [
            (
                ["mqtt", "x"],
                "supports none of the application protocols that we offer (tls.applicationProtocols): mqtt, x;"
            ),
            ([], "requires an application protocol (ALPN); set tls.applicationProtocols"),
        ])
    func refusedApplicationProtocol(offered: [String], text: String) async throws {
        // The fatal alert no_application_protocol (RFC 7301 section 3.2), which NIOSSL itself never sends.
        let accepted = Accepted { $0.write(ByteBuffer(bytes: [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x78])) }
        try await withListener(accepted: accepted) { port, _ in
            let error = try await SocketConnector(tls: Fixture.client { $0.applicationProtocols = offered })
                .failure(connectingTo: Endpoint(host: "localhost", port: port, security: .tls))
            #expect(error.code == .tlsFailed)
            #expect(error.message.contains(text), "\(error)")
        }
    }

    @Test("A PKCS#12 bundle serves client and broker")
    func bundle() async throws {
        let bundle = try NIOSSLPKCS12Bundle(
            certificateChain: NIOSSLCertificate.fromPEMBytes(Fixture.bytes("server.pem")),
            privateKey: NIOSSLPrivateKey(bytes: Fixture.bytes("server.key.pem"), format: .pem))
        let bytes = try bundle.serialize(passphrase: Array("secret".utf8))
        var server = TLSServerSettings(certificate: .pkcs12(.bytes(bytes), passphrase: "secret"))
        server.clientTrustRoots = .file(Fixture.path("ca.pem"))
        let client = Fixture.client {
            $0.clientCertificate = .pkcs12(Fixture.file("client.p12"), passphrase: Fixture.passphrase)
        }
        #expect(try await self.roundTrip(server, client) == nil)
        server.certificate = .pkcs12(.bytes(bytes), passphrase: "wrong")
        let error = await #expect(throws: TransportError.self) {
            try await SocketListener.bind(tls: server) { Probe($0) }
        }
        #expect(
            error?.message.contains("is the passphrase of tls.certificate right?") == true,
            "\(String(describing: error))")
    }

    @Test("A pre-shared key works without certificates")
    func preSharedKey() async throws {
        var server = TLSServerSettings()
        server.preSharedKeys = ["sensor": [1, 2, 3, 4]]
        var client = TLSSettings()
        client.preSharedKey = TLSSettings.PreSharedKey(identity: "sensor", key: [1, 2, 3, 4])
        #expect(try await self.roundTrip(server, client) == nil)
    }

    // MARK: Revoked trust

    /// Connects a client, reloads, and returns whether its connection is still trusted.
    private func isTrusted(
        _ settings: TLSServerSettings, _ client: TLSSettings, afterReload change: () throws -> Void
    ) async throws -> Bool {
        let accepted = Accepted()
        let listener = try await SocketListener.bind(tls: settings) { accepted.accept($0) }
        let near = try await SocketConnector(tls: client).probe(
            Endpoint(host: "localhost", port: listener.port, security: .tls))
        let far = try await accepted.next()
        #expect(try await far.onLoop { $0.isStillTrusted })
        try change()
        try listener.reloadCertificates()
        let isTrusted = try await far.onLoop { $0.isStillTrusted }
        near.link.close()
        await listener.close()
        return isTrusted
    }

    @Test(
        "A client is no longer trusted after its pre-shared key is removed or changed",
        arguments: [("a", true), ("b", false), ("c", false)])
    func preSharedKeyReload(identity: String, isTrusted: Bool) async throws {
        let keys = Mutex<[ExactText: Redacted<[UInt8]>]>(["a": [1, 2], "b": [3, 4], "c": [5, 6]])
        var server = TLSServerSettings()
        server.preSharedKeySource = { keys.withLock { $0 } }
        let key = keys.withLock { $0[ExactText(identity)] ?? [] }
        var client = TLSSettings()
        client.preSharedKey = TLSSettings.PreSharedKey(identity: identity, key: key.value)
        let outcome = try await self.isTrusted(server, client) {
            keys.withLock {
                $0["b"] = nil
                $0["c"] = [7, 8]
                $0["d"] = [9]
            }
        }
        #expect(outcome == isTrusted)
    }

    @Test("Clients with certificates are trusted until an authority is removed", arguments: [true, false])
    func authorityReload(isTakenAway: Bool) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "ca.pem")
        let (own, other) = (try Data(Fixture.bytes("ca.pem")), try Data(Fixture.bytes("other-ca.pem")))
        try own.write(to: file)
        let server = Fixture.server { $0.clientTrustRoots = .file(file.path) }
        let client = Fixture.client { $0.clientCertificate = Fixture.pair("client") }
        let outcome = try await self.isTrusted(server, client) {
            try (isTakenAway ? other : own + other).write(to: file)
        }
        #expect(outcome == !isTakenAway)
    }

    @Test("Only the insecure options accept wrong host names or certificates")
    func insecure() async throws {
        let anyHost = Fixture.client { $0.verification = .insecureAnyHostName }
        #expect(try await self.roundTrip(Fixture.server("elsewhere"), anyHost) == nil)
        #expect(try await self.failure(Fixture.server("expired"), anyHost).code == .certificateExpired)
        let anyCertificate = Fixture.client {
            $0.trustRoots = .file(Fixture.path("other-ca.pem"))
            $0.verification = .insecureAnyCertificate
        }
        for name in ["elsewhere", "expired", "future"] {
            #expect(try await self.roundTrip(Fixture.server(name), anyCertificate) == nil)
        }
    }

    // MARK: Connections that fail

    @Test(
        "The error tells what is wrong with a certificate",
        arguments: [
            ("expired", TransportError.Code.certificateExpired, "expired"),
            ("future", .certificateNotYetValid, "not valid yet"),
            ("elsewhere", .hostNameMismatch, "is for broker.example, 192.0.2.1, not for localhost"),
        ], [TLSSettings.Version.tls12, .tls13])
    func badCertificate(
        expected: (name: String, code: TransportError.Code, text: String), version: TLSSettings.Version
    ) async throws {
        let server = Fixture.server(expected.name) { $0.maximumVersion = version }
        let error = try await self.failure(server, Fixture.client())
        #expect(error.code == expected.code)
        #expect(error.message.contains(expected.text), "\(error)")
    }

    @Test("A certificate without the address is not valid for it")
    func addressMismatch() async throws {
        let error = try await self.failure(Fixture.server("named"), Fixture.client(), host: "127.0.0.1")
        #expect(error.code == .hostNameMismatch)
        #expect(error.message.contains("is for localhost, not for 127.0.0.1"), "\(error)")
    }

    @Test("A certificate for a host's address is not valid for its name")
    func addressForName() async throws {
        #expect(try await self.roundTrip(Fixture.server("addressed"), Fixture.client(), host: "127.0.0.1") == nil)
        let error = try await self.failure(Fixture.server("addressed"), Fixture.client())
        #expect(error.code == .hostNameMismatch)
        #expect(error.message.contains("is for 127.0.0.1, not for localhost"), "\(error)")
    }

    @Test("A certificate of an unknown authority is not trusted")
    func unknownAuthority() async throws {
        let client = Fixture.client { $0.trustRoots = .file(Fixture.path("other-ca.pem")) }
        let error = try await self.failure(Fixture.server(), client)
        #expect(error.code == .certificateNotTrusted)
    }

    @Test("By default, only the system's authorities are trusted")
    func systemAuthorities() async throws {
        let error = try await #require(self.roundTrip(Fixture.server(), TLSSettings()))
        // invalidConfiguration on a system that has no authorities at all.
        #expect([.certificateNotTrusted, .invalidConfiguration].contains(error.code), "\(error)")
    }

    @Test(
        "A missing client certificate is reported in both TLS versions",
        arguments: [TLSSettings.Version.tls12, .tls13])
    func missingClientCertificate(version: TLSSettings.Version) async throws {
        let server = Fixture.server {
            $0.maximumVersion = version
            $0.clientTrustRoots = .file(Fixture.path("ca.pem"))
        }
        let error = try await self.failure(server, Fixture.client())
        #expect(error.code == .clientCertificateRequired, "\(error)")
    }

    @Test("A missing client certificate is reported even if the client has already written")
    func missingClientCertificateAfterWrites() async throws {
        let server = Fixture.server { $0.clientTrustRoots = .file(Fixture.path("ca.pem")) }
        for _ in 0..<10 {
            try await withListener(tls: server) { port, _ in
                let closed = Accepted { $0.write(ByteBuffer(repeating: 7, count: 100)) }
                try await SocketConnector(tls: Fixture.client())
                    .connect(
                        to: Endpoint(host: "localhost", port: port, security: .tls), on: EventLoops.shared.next(),
                        handler: { closed.accept($0) })
                let error = try await closed.next().end().error
                #expect(error?.code == .clientCertificateRequired, "\(String(describing: error))")
            }
        }
    }

    @Test("A client certificate of an unknown authority is rejected", arguments: [TLSSettings.Version.tls12, .tls13])
    func foreignClientCertificate(version: TLSSettings.Version) async throws {
        let server = Fixture.server {
            $0.maximumVersion = version
            $0.clientTrustRoots = .file(Fixture.path("ca.pem"))
        }
        let error = try await self.failure(
            server, Fixture.client { $0.clientCertificate = Fixture.pair("foreign-client") })
        #expect(error.code == .clientCertificateRejected)
        #expect(error.message.contains("does not know the authority"), "\(error)")
    }

    @Test("The error reports that there is no common TLS version")
    func versionMismatch() async throws {
        let old = Fixture.server { $0.maximumVersion = .tls12 }
        let error = try await self.failure(old, Fixture.client { $0.minimumVersion = .tls13 })
        #expect(error.code == .tlsVersionMismatch, "\(error)")
    }

    @Test("An unknown identity or a wrong pre-shared key is rejected", arguments: ["sensor", "stranger"])
    func wrongPreSharedKey(identity: String) async throws {
        var server = TLSServerSettings()
        server.preSharedKeys = ["sensor": [1, 2, 3, 4]]
        var client = TLSSettings()
        client.preSharedKey = TLSSettings.PreSharedKey(identity: identity, key: [4, 3, 2, 1])
        let error = try await self.failure(server, client)
        #expect(error.code == .preSharedKeyRejected, "\(error)")
    }

    @Test("A peer that answers in another protocol is reported as not TLS")
    func notTLS() async throws {
        // A CONNACK, as a broker's plain port may send it.
        let accepted = Accepted { $0.write(ByteBuffer(bytes: [0x20, 0x03, 0x00, 0x86, 0x00])) }
        try await withListener(accepted: accepted) { port, _ in
            let error = try await SocketConnector(tls: Fixture.client())
                .failure(connectingTo: Endpoint(host: "localhost", port: port, security: .tls))
            #expect(error.code == .notTLS, "\(error)")
        }
    }

    @Test("A close during the handshake is reported as such")
    func closedDuringHandshake() async throws {
        let accepted = Accepted { $0.close() }
        try await withListener(accepted: accepted) { port, _ in
            let error = try await SocketConnector(tls: Fixture.client())
                .failure(connectingTo: Endpoint(host: "localhost", port: port, security: .tls))
            #expect(error.code == .tlsFailed)
            #expect(error.message.contains("closed the connection during the TLS handshake"), "\(error)")
        }
    }

    @Test(
        "A host name that no certificate can contain is refused before any traffic",
        arguments: ["ä.example", "my_broker"])
    func unusableHost(host: String) async throws {
        let error = try await SocketConnector(tls: Fixture.client())
            .failure(connectingTo: Endpoint(host: host, port: 8883, security: .tls))
        #expect(error.code == .invalidConfiguration, "\(error)")
    }
}

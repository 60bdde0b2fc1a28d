#if Accounts
import Foundation
import NIOSSL
import Testing

@testable import CurlewTransport

/// Serialized, because each test makes several handshakes, for each of which a listener waits 10 seconds.
@Suite("TLS connections with revocation lists", .serialized, .timeLimit(.minutes(2)))
struct RevocationConnectTests {
    private typealias Fixtures = RevocationFixture

    /// Sends some bytes and gets them back; returns the error if that fails.
    private func roundTrip(_ server: TLSServerSettings, _ client: TLSSettings) async throws -> TransportError? {
        do {
            return try await withListener(tls: server, accepted: Accepted(echoes: true)) { port, _ in
                let near = try await SocketConnector(timeout: .seconds(60), tls: client)
                    .probe(Endpoint(host: "localhost", port: port, security: .tls))
                try await near.write("hello")
                // The broker's objections to the client arrive after the client's own handshake is over.
                while let event = await near.nextEvent() {
                    switch event {
                    case .read:
                        near.link.close()
                        return nil
                    case .closed(let error): return error ?? TransportError(.connectionLost, "closed without an error")
                    default: continue
                    }
                }
                return TransportError(.connectionLost, "no answer")
            }
        } catch let error as TransportError {
            return error
        }
    }

    /// Connects and returns why the listener refused.
    private func refusal(_ server: TLSServerSettings, _ client: TLSSettings) async throws -> FailedHandshake {
        let (refusals, continuation) = AsyncStream<FailedHandshake>.makeStream()
        let listener = try await SocketListener.bind(
            tls: server, refused: { continuation.yield($0) }, accept: { Probe($0) })
        _ = try await SocketConnector(timeout: .seconds(60), tls: client)
            .failure(connectingTo: Endpoint(host: "localhost", port: listener.port, security: .tls))
        var iterator = refusals.makeAsyncIterator()
        let refusal = await iterator.next()
        await listener.close()
        return try #require(refusal)
    }

    private static let versions = [TLSSettings.Version.tls12, .tls13]

    // MARK: The broker's certificate

    @Test(
        "A broker whose certificate is covered by a current list is accepted", arguments: Self.versions,
        [["root"], ["root.der"], ["expired", "root"], ["future", "root"]])
    func good(version: TLSSettings.Version, lists: [String]) async throws {
        let server = Fixtures.server { $0.maximumVersion = version }
        let client = Fixtures.client { $0.revocationLists = lists.flatMap { Fixtures.lists($0) } }
        #expect(try await self.roundTrip(server, client) == nil)
    }

    @Test("A broker with a revoked certificate is refused", arguments: Self.versions)
    func revoked(version: TLSSettings.Version) async throws {
        let server = Fixtures.server("revoked") { $0.maximumVersion = version }
        #expect(try await self.roundTrip(server, Fixtures.client()) == nil)
        for verification in [TLSSettings.Verification.full, .insecureAnyHostName] {
            let error = try await self.roundTrip(
                server,
                Fixtures.client {
                    $0.verification = verification
                    $0.revocationLists = Fixtures.lists("root")
                })
            #expect(error?.code == .certificateRevoked)
            #expect(error?.message.contains("\"revoked\", was revoked by its issuer, \"root\"") == true)
        }
    }

    @Test(
        "A broker whose certificate is not covered by a current list is refused",
        arguments: [
            ("rsa", "there is no revocation list of its issuer, \"root\"; add it to tls.revocationLists."),
            ("expired", "was due to be replaced on 2021-01-01"), ("future", "is not valid before 2119-01-01"),
        ])
    func unknown(list: String, text: String) async throws {
        let error = try await self.roundTrip(
            Fixtures.server(), Fixtures.client { $0.revocationLists = Fixtures.lists(list) })
        #expect(error?.code == .revocationUnknown)
        #expect(error?.message.contains(text) == true, "\(String(describing: error))")
    }

    @Test("The host name is still verified")
    func hostName() async throws {
        let client = Fixtures.client {
            $0.revocationLists = Fixtures.lists("root")
            $0.serverName = "other.example"
        }
        #expect(try await self.roundTrip(Fixtures.server(), client)?.code == .hostNameMismatch)
    }

    @Test("An untrusted certificate is still reported as such")
    func untrusted() async throws {
        let client = Fixtures.client {
            $0.trustRoots = .file(Fixtures.path("rsa.pem"))
            $0.revocationLists = Fixtures.lists("root", "rsa")
        }
        #expect(try await self.roundTrip(Fixtures.server(), client)?.code == .certificateNotTrusted)
    }

    @Test("A revoked intermediate authority is refused; without a list of its issuer it is not checked")
    func intermediate() async throws {
        let server = Fixtures.server("chained")
        for lists in [["intermediate"], ["intermediate", "root"]] {
            let client = Fixtures.client { $0.revocationLists = lists.flatMap { Fixtures.lists($0) } }
            #expect(try await self.roundTrip(server, client) == nil)
        }
        let client = Fixtures.client { $0.revocationLists = Fixtures.lists("intermediate", "root-later") }
        let error = try await self.roundTrip(server, client)
        #expect(error?.code == .certificateRevoked)
        #expect(error?.message.contains("The certificate \"intermediate\", on which that of") == true)
    }

    @Test("A certificate with policy constraints is refused without a trap")
    func policyConstraints() async throws {
        let client = Fixtures.client { $0.revocationLists = Fixtures.lists("intermediate") }
        let error = try await self.roundTrip(Fixtures.server("constrained"), client)
        #expect(error?.code == .revocationUnknown)
        #expect(error?.message.contains("policy constraints") == true)
    }

    // MARK: The client's certificate

    @Test("A client whose certificate is covered by a current list is accepted", arguments: Self.versions)
    func goodClient(version: TLSSettings.Version) async throws {
        let server = Fixtures.server {
            $0.maximumVersion = version
            $0.clientTrustRoots = .file(Fixtures.path("root.pem"))
            $0.revocationLists = Fixtures.lists("root")
        }
        let client = Fixtures.client { $0.clientCertificate = Fixtures.pair("good") }
        #expect(try await self.roundTrip(server, client) == nil)
    }

    @Test(
        "A listener tells why it refuses a client", arguments: Self.versions,
        [
            ("revoked", "root", "The client's certificate was revoked by its issuer, \"root\"."),
            ("good", "rsa", "cannot be checked: there is no revocation list of its issuer, \"root\""),
            ("good", "expired", "was due to be replaced on 2021-01-01"),
            ("intermediate", "root-later", "was revoked by its issuer, \"root\"."),
        ])
    func refusedClient(
        version: TLSSettings.Version, expected: (certificate: String, list: String, text: String)
    ) async throws {
        let server = Fixtures.server {
            $0.maximumVersion = version
            $0.clientTrustRoots = .file(Fixtures.path("root.pem"))
            $0.revocationLists = Fixtures.lists(expected.list, "intermediate")
        }
        let name = expected.certificate == "intermediate" ? "chained" : expected.certificate
        let client = Fixtures.client { $0.clientCertificate = Fixtures.pair(name) }
        let refusal = try await self.refusal(server, client)
        #expect(refusal.error.message.contains(expected.text), "\(refusal.error)")
        #expect(!refusal.isAbandoned)
    }

    @Test("A client without a certificate is not checked if none is required")
    func clientWithoutCertificate() async throws {
        let server = Fixtures.server {
            $0.clientTrustRoots = .file(Fixtures.path("root.pem"))
            $0.requiresClientCertificate = false
            $0.revocationLists = Fixtures.lists("root")
        }
        #expect(try await self.roundTrip(server, Fixtures.client()) == nil)
        let revoked = Fixtures.client { $0.clientCertificate = Fixtures.pair("revoked") }
        let error = try await self.roundTrip(server, revoked)
        #expect(error?.code == .clientCertificateRejected)
        #expect(error?.message.contains("may have been revoked") == true, "\(String(describing: error))")
    }

    @Test(
        "After a reload, clients whose chain contains a revoked certificate are no longer trusted",
        arguments: [
            ("good", ["empty"], ["root"], true), ("revoked", ["empty"], ["root"], false),
            ("chained", ["root", "intermediate"], ["root-later", "intermediate"], false),
            // Connected before there were lists.
            ("good", [], ["root"], true), ("revoked", [], ["root"], false),
            // A list that is missing or outdated disconnects nobody.
            ("good", ["root"], ["expired"], true), ("good", ["root"], ["rsa"], true),
        ] as [(String, [String], [String], Bool)])
    func reload(certificate: String, before: [String], after: [String], isTrusted: Bool) async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString).crl")
        defer { try? FileManager.default.removeItem(at: file) }
        func write(_ names: [String]) throws {
            let lists = try names.map { Data(try Fixture.bytes("revocation/\($0).crl")) }
            try lists.reduce(Data(), +).write(to: file)
        }
        try write(before.isEmpty ? ["empty", "intermediate"] : before)
        let settings = Fixtures.server {
            $0.clientTrustRoots = .file(Fixtures.path("root.pem"))
            $0.revocationLists = [.file(file.path)]
        }
        let tls = try TLSServerContext(settings)
        let trust: PeerTrust
        let chain = try #require(
            try Fixtures.pair(certificate).chain.certificates(as: .brokerCertificate).first?.toDERBytes())
        if before.isEmpty {
            trust = PeerTrust(tls, tls.material)
        } else {
            let check = RevocationCheck(try #require(tls.material.revocationLists))
            let path = certificate == "chained" ? ["root", "intermediate", "chained"] : ["root", certificate]
            for name in path { #expect(check.accept(try Fixtures.certificate(name))) }
            #expect(check.conclude(try Fixtures.certificate(certificate)) == nil)
            trust = PeerTrust(tls, tls.material, check)
        }
        #expect(trust.isValid(chain))
        try write(after)
        try tls.reload()
        #expect(trust.isValid(chain) == isTrusted)
        #expect(trust.isValid(nil))
    }

    @Test("A listener warns about a list that is not current, and reads lists again at a reload")
    func notices() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString).crl")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(Fixture.bytes("revocation/expired.crl")).write(to: file)
        let settings = Fixtures.server {
            $0.clientTrustRoots = .file(Fixtures.path("root.pem"))
            $0.revocationLists = [.file(file.path)]
        }
        let listener = try await SocketListener.bind(tls: settings, accept: { Probe($0) })
        let notices = listener.certificateNotices()
        #expect(notices.count == 1)
        #expect(notices.first?.contains("was due to be replaced on 2021-01-01") == true, "\(notices)")
        try Data(Fixture.bytes("revocation/root.crl")).write(to: file)
        try listener.reloadCertificates()
        #expect(listener.certificateNotices() == [])
        try Data(Fixture.bytes("revocation/namesake.crl")).write(to: file)
        #expect(throws: TransportError.self) { try listener.reloadCertificates() }
        await listener.close()
    }

    // MARK: Settings

    @Test(
        "An unusable file is reported before anything is sent",
        arguments: [
            ("delta.crl", "is a delta list"), ("partial.crl", "covers only a part"), ("indirect.crl", "indirect list"),
            ("unknown.crl", "critical extension that is not supported (1.2.3.4)"), ("sha1.crl", "signed with SHA-1"),
            ("namesake.crl", "was not signed by the trusted authority \"root\""),
            ("root.pem", "is not a certificate revocation list"), ("none.crl", "No such file or directory"),
        ])
    func files(name: String, text: String) {
        let client = Fixtures.client { $0.revocationLists = [.file(Fixtures.path(name))] }
        let error = #expect(throws: TransportError.self) { try SocketConnector(tls: client) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.hasPrefix("The revocation list (tls.revocationLists)") == true)
        #expect(error?.message.contains(text) == true, "\(String(describing: error))")
        var server = Fixtures.server()
        server.clientTrustRoots = client.trustRoots
        server.revocationLists = client.revocationLists
        #expect(throws: TransportError.self) { try TLSServerContext(server) }
    }

    @Test("Lists beside settings that make them useless are refused")
    func contradictions() {
        let keys = Fixtures.client {
            $0.revocationLists = Fixtures.lists("root")
            $0.preSharedKey = .init(identity: "me", key: [1])
        }
        #expect(throws: TransportError.self) { try SocketConnector(tls: keys) }
        let anything = Fixtures.client {
            $0.revocationLists = Fixtures.lists("root")
            $0.verification = .insecureAnyCertificate
        }
        #expect(throws: TransportError.self) { try SocketConnector(tls: anything) }
        let server = Fixtures.server { $0.revocationLists = Fixtures.lists("root") }
        let error = #expect(throws: TransportError.self) { try TLSServerContext(server) }
        #expect(error?.message.contains("set tls.clientTrustRoots") == true)
    }
}
#else
import CurlewTransport
import Testing

@Suite("Revocation lists without the trait Accounts")
struct RevocationConnectTests {
    @Test("Lists are refused instead of ignored")
    func refused() {
        let client = Fixture.client { $0.revocationLists = [.file(Fixture.path("revocation/root.crl"))] }
        let error = #expect(throws: TransportError.self) { try SocketConnector(tls: client) }
        #expect(error?.message.contains("need the trait Accounts") == true)
    }
}
#endif

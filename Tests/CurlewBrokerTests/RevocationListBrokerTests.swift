#if Accounts
import CurlewBroker
import CurlewTransport
import Foundation
import NIOCore
import Testing

@Suite("Revocation lists of a broker", .timeLimit(.minutes(1)))
struct RevocationListBrokerTests {
    private static let fixtures =
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "CurlewTransportTests/Fixtures/revocation").path

    private static func identity(_ name: String) -> TLSSettings.Identity {
        .init(chain: .file("\(self.fixtures)/\(name).pem"), key: .file("\(self.fixtures)/key.pem"))
    }

    /// Sends CONNECT, and reports the answer and the end.
    private final class Client: LinkHandler, Sendable {
        let answered = OneShot<Void>()
        let closed = OneShot<Void>()

        func linkRead(_ bytes: ByteBuffer) { self.answered.set(()) }
        func linkReadCompleted() {}
        func linkWritabilityChanged(_ isWritable: Bool) {}
        func linkClosed(_ error: TransportError?) {
            self.answered.set(())
            self.closed.set(())
        }
    }

    private func connect(as name: String, port: Int) async throws -> Client {
        var settings = TLSSettings()
        settings.trustRoots = .file("\(Self.fixtures)/root.pem")
        settings.clientCertificate = Self.identity(name)
        let client = Client()
        try await SocketConnector(tls: settings).connect(
            to: Endpoint(host: "localhost", port: port, security: .tls), on: EventLoops.shared.next()
        ) { link in
            let identifier = Array(name.utf8)
            let rest = [0, 4] + Array("MQTT".utf8) + [4, 2, 0, 60, 0, UInt8(identifier.count)] + identifier
            link.write(ByteBuffer(bytes: [0x10, UInt8(rest.count)] + rest))
            return client
        }
        _ = await client.answered.wait()
        return client
    }

    @Test("A reload disconnects a client whose certificate is on the new list, and no other client")
    func reload() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString).crl")
        defer { try? FileManager.default.removeItem(at: file) }
        func write(_ list: String) throws {
            try Data(contentsOf: URL(filePath: "\(Self.fixtures)/\(list).crl")).write(to: file)
        }
        try write("expired")
        var tls = MQTTBrokerConfiguration.TLS(certificate: Self.identity("good"))
        tls.clientTrustRoots = .file("\(Self.fixtures)/root.pem")
        tls.revocationLists = [.file(file.path)]
        let log = LogLines()
        let broker = MQTTBroker(
            MQTTBrokerConfiguration(listeners: [.tcp(port: 0, tls: tls)]), logger: log.logger)
        try await broker.start()
        let port = await broker.listeners[0].port
        #expect(await log.first("was due to be replaced on 2021-01-01")?.hasPrefix("warning") == true)
        try write("empty")
        try await broker.reload()
        let good = try await self.connect(as: "good", port: port)
        let revoked = try await self.connect(as: "revoked", port: port)
        #expect(good.closed.value == nil && revoked.closed.value == nil)
        try write("root")
        try await broker.reload()
        #expect(await revoked.closed.wait() != nil)
        let again = try? await self.connect(as: "revoked", port: port)
        if let again { #expect(await again.closed.wait() != nil) }
        let line = await log.first("TLS handshake failed")
        #expect(line?.contains("was revoked by its issuer, \"root\"") == true, "\(line ?? "")")
        #expect(good.closed.value == nil)
        await broker.stop()
    }
}
#endif

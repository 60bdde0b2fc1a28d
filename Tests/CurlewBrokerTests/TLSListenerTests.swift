import CurlewTransport
import Foundation
import Logging
import NIOCore
import Testing

@testable import CurlewBroker

@Suite("TLS listener", .timeLimit(.minutes(1)))
struct TLSListenerTests {
    private static let fixtures =
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "CurlewTransportTests/Fixtures").path

    private static func tls(_ name: String, key: String? = nil) -> MQTTBrokerConfiguration.TLS {
        MQTTBrokerConfiguration.TLS(
            certificate: .init(
                chain: .file("\(self.fixtures)/\(name).pem"), key: .file("\(self.fixtures)/\(key ?? name).key.pem")))
    }

    private func withBroker(
        _ tls: MQTTBrokerConfiguration.TLS, _ log: LogLines, _ body: (MQTTBroker, Int) async throws -> Void
    ) async throws {
        let configuration = MQTTBrokerConfiguration(listeners: [.tcp(port: 0, tls: tls)])
        let broker = MQTTBroker(configuration, logger: log.logger)
        try await broker.start()
        do {
            try await body(broker, broker.listeners[0].port)
        } catch {
            await broker.stop()
            throw error
        }
        await broker.stop()
    }

    /// Writes bytes and ignores everything else.
    private final class Writer: LinkHandler {
        init(_ link: any Link, _ bytes: [UInt8]) { link.write(ByteBuffer(bytes: bytes)) }
        func linkRead(_ bytes: ByteBuffer) {}
        func linkReadCompleted() {}
        func linkWritabilityChanged(_ isWritable: Bool) {}
        func linkClosed(_ error: TransportError?) {}
    }

    private static func connect(_ settings: TLSSettings?, port: Int) async throws {
        try await SocketConnector(tls: settings).connect(
            to: Endpoint(host: "localhost", port: port, security: settings == nil ? .plain : .tls),
            on: EventLoops.shared.next()
        ) {
            Writer($0, [0x10, 0x0C, 0, 4] + Array("MQTT".utf8) + [4, 2, 0, 60, 0, 0])
        }
    }

    @Test("A client that does not speak TLS is logged with its address")
    func plain() async throws {
        let log = LogLines()
        try await self.withBroker(Self.tls("server"), log) { _, port in
            try await Self.connect(nil, port: port)
            let line = await log.first("TLS handshake failed")
            #expect(line?.contains("reason=The client does not speak TLS") == true, "\(line ?? "")")
            #expect(line?.contains("address=127.0.0.1:") == true, "\(line ?? "")")
            #expect(line?.hasPrefix("info") == true)
        }
    }

    @Test("A client that does not trust the broker's certificate is logged")
    func untrusting() async throws {
        let log = LogLines()
        try await self.withBroker(Self.tls("server"), log) { _, port in
            var settings = TLSSettings()
            settings.trustRoots = .file("\(Self.fixtures)/other-ca.pem")
            await #expect(throws: TransportError.self) { try await Self.connect(settings, port: port) }
            let line = await log.first("TLS handshake failed")
            #expect(line?.contains("did not accept the broker's certificate") == true, "\(line ?? "")")
        }
    }

    @Test("A missing or refused client certificate is logged, without the client's name")
    func clientCertificates() async throws {
        let log = LogLines()
        var tls = Self.tls("server")
        tls.clientTrustRoots = .file("\(Self.fixtures)/ca.pem")
        try await self.withBroker(tls, log) { _, port in
            var settings = TLSSettings()
            settings.trustRoots = .file("\(Self.fixtures)/ca.pem")
            try? await Self.connect(settings, port: port)
            let missing = await log.first("TLS handshake failed")
            #expect(missing?.contains("presented no certificate") == true, "\(missing ?? "")")
            settings.clientCertificate = .init(
                chain: .file("\(Self.fixtures)/foreign-client.pem"),
                key: .file("\(Self.fixtures)/foreign-client.key.pem"))
            try? await Self.connect(settings, port: port)
            let foreign = await log.first("TLS handshake failed")
            #expect(foreign?.contains("issued by \"Another test authority\"") == true, "\(foreign ?? "")")
            #expect(foreign?.contains("\"foreign-client\"") == false)
        }
    }

    @Test("A flood of failed handshakes does not fill the log")
    func flood() async {
        let log = LogLines()
        let failures = FailedHandshakeLog(listener: "l", logger: log.logger, now: .start)
        let failure = FailedHandshake(
            peer: "192.0.2.1:1", error: TransportError(.notTLS, "No TLS."), isAbandoned: false)
        for _ in 0..<100 { failures.note(failure, now: .start) }
        failures.note(failure, now: .start + .seconds(2))
        let lines = await log.all()
        #expect(lines.count == FailedHandshakeLog.burst + 1)
        #expect(lines.last?.contains("suppressed=80") == true, "\(lines.last ?? "")")
    }

    private static let abandoned = FailedHandshake(
        peer: "192.0.2.1:1", error: TransportError(.tlsFailed, "Gone."), isAbandoned: true)

    @Test("A client that closes during the handshake, as health checks do, is logged only at debug level")
    func abandoned() async {
        let log = LogLines()
        FailedHandshakeLog(listener: "l", logger: log.logger, now: .start).note(Self.abandoned, now: .start)
        #expect(await log.all() == [])
        let debug = LogLines(level: .debug)
        FailedHandshakeLog(listener: "l", logger: debug.logger, now: .start).note(Self.abandoned, now: .start)
        #expect(await debug.all().count == 1)
    }

    @Test("An expired certificate is logged as a warning at the start and at each reload")
    func expired() async throws {
        let log = LogLines()
        try await self.withBroker(Self.tls("expired"), log) { broker, _ in
            let line = await log.first("expired on 2021-01-01")
            #expect(line?.hasPrefix("warning The broker's certificate \"expired\" (file ") == true, "\(line ?? "")")
            try await broker.reload()
            #expect(await log.first("expired on 2021-01-01") != nil)
        }
    }

    @Test("A certificate that clients will refuse is logged as a warning", arguments: ["for-client", "rsa-enciphers"])
    func unsuitable(name: String) async throws {
        let log = LogLines()
        let key = name.hasPrefix("rsa") ? "matrix/rsa" : "matrix/P-256"
        try await self.withBroker(Self.tls("matrix/\(name)", key: key), log) { _, _ in
            #expect(await log.first("\"\(name)\"")?.hasPrefix("warning") == true)
        }
    }

    @Test("A TLS error names the settings, with names that the caller can replace")
    func naming() async throws {
        let broker = MQTTBroker(
            MQTTBrokerConfiguration(
                listeners: [.tcp(port: 0), .tcp(port: 0, tls: Self.tls("server", key: "client"))]))
        let error = try #require(await #expect(throws: MQTTBrokerError.self) { try await broker.start() })
        #expect(error.message.contains("(tls.certificate.key)"), "\(error)")
        let message = error.message { listener, setting in "line \(listener) \(setting)" }
        #expect(message.contains("(line 1 brokerKey)") && message.contains("(line 1 brokerCertificate)"), "\(message)")
    }
}

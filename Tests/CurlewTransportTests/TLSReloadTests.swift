import Foundation
import NIOCore
import Synchronization
import Testing

@testable import CurlewTransport

@Suite("A client's TLS files while it runs", .timeLimit(.minutes(1)))
struct TLSReloadTests {
    /// A folder with the files of a client, and a connector for them.
    private final class Setup {
        private let folder: URL
        let settings: TLSSettings
        /// What was reported.
        let reports = Reports()

        final class Reports: Sendable {
            private let messages = Mutex<[String]>([])
            var all: [String] { self.messages.withLock { $0 } }
            func add(_ error: TransportError) { self.messages.withLock { $0.append(error.message) } }
        }

        init(_ name: String = "client") throws {
            self.folder = FileManager.default.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: false)
            var settings = TLSSettings()
            settings.trustRoots = .file(self.folder.appending(path: "ca.pem").path)
            settings.clientCertificate = .init(
                chain: .file(self.folder.appending(path: "chain.pem").path),
                key: .file(self.folder.appending(path: "key.pem").path))
            self.settings = settings
            try self.install("ca.pem", as: "ca.pem")
            try self.installPair(name)
        }

        deinit { try? FileManager.default.removeItem(at: self.folder) }

        /// Replaces a file, as programs that renew certificates do.
        func install(_ fixture: String, as name: String) throws {
            try Data(Fixture.bytes(fixture)).write(to: self.folder.appending(path: name), options: .atomic)
        }

        func installPair(_ name: String) throws {
            try self.install("\(name).pem", as: "chain.pem")
            try self.install("\(name).key.pem", as: "key.pem")
        }

        func remove(_ name: String) throws {
            try FileManager.default.removeItem(at: self.folder.appending(path: name))
        }

        func files() throws -> TLSClientFiles {
            try TLSClientFiles(self.settings) { [reports] in reports.add($0) }
        }

        func connector(now: @escaping @Sendable () -> Int = { ValidityPeriod.now }) throws -> SocketConnector {
            try SocketConnector(timeout: .seconds(50), tls: self.settings, now: now) { [reports] in reports.add($0) }
        }
    }

    /// A clock that a test sets, in seconds since 1970.
    private final class Clock: Sendable {
        private let seconds: Mutex<Int>
        init(_ now: Int) { self.seconds = Mutex(now) }
        var now: Int {
            get { self.seconds.withLock { $0 } }
            set { self.seconds.withLock { $0 = newValue } }
        }
    }

    private func name(_ files: TLSClientFiles) -> String? { files.context.ownCertificate?.contents?.subjectName }

    @Test("A renewed certificate is used at the next attempt to connect")
    func renewal() async throws {
        let setup = try Setup("foreign-client")
        let connector = try setup.connector()
        let server = Fixture.server { $0.clientTrustRoots = .file(Fixture.path("ca.pem")) }
        try await withListener(tls: server, accepted: Accepted(echoes: true)) { port, _ in
            let endpoint = Endpoint(host: "localhost", port: port, security: .tls)
            #expect(try await connector.failure(connectingTo: endpoint).code == .clientCertificateRejected)
            try setup.installPair("client")
            let near = try await connector.probe(endpoint)
            try await near.write("hello")
            #expect(await near.read(5) == "hello")
            near.link.close()
        }
        #expect(setup.reports.all == [])
    }

    @Test("Renewed authorities are used at the next attempt to connect")
    func authorities() async throws {
        let setup = try Setup()
        try setup.install("other-ca.pem", as: "ca.pem")
        let connector = try setup.connector()
        try await withListener(tls: Fixture.server()) { port, _ in
            let endpoint = Endpoint(host: "localhost", port: port, security: .tls)
            #expect(try await connector.failure(connectingTo: endpoint).code == .certificateNotTrusted)
            try setup.install("ca.pem", as: "ca.pem")
            try await connector.probe(endpoint).link.close()
        }
    }

    @Test("Files that did not change are not loaded again")
    func unchanged() throws {
        let setup = try Setup()
        let files = try setup.files()
        let context = files.context.context
        files.refresh()
        #expect(files.context.context === context)
        try setup.installPair("client")
        files.refresh()
        #expect(files.context.context !== context)
    }

    @Test("While only half of a pair is written, the former pair stays, which is reported once")
    func halfWritten() throws {
        let setup = try Setup()
        let files = try setup.files()
        try setup.install("foreign-client.pem", as: "chain.pem")
        files.refresh()
        files.refresh()
        #expect(self.name(files) == "\"client\"")
        #expect(setup.reports.all.count == 1)
        #expect(setup.reports.all.first?.contains("does not belong to") == true, "\(setup.reports.all)")
        try setup.install("foreign-client.key.pem", as: "key.pem")
        files.refresh()
        #expect(self.name(files) == "\"foreign-client\"")
        #expect(setup.reports.all.count == 1)
    }

    @Test("Removed files leave the former ones in use, and a later failure is reported again")
    func removed() throws {
        let setup = try Setup()
        let files = try setup.files()
        try setup.remove("key.pem")
        files.refresh()
        #expect(self.name(files) == "\"client\"")
        try setup.install("client.key.pem", as: "key.pem")
        files.refresh()
        #expect(setup.reports.all.count == 1)
        try setup.remove("key.pem")
        files.refresh()
        #expect(setup.reports.all.count == 2)
        #expect(setup.reports.all.allSatisfy { $0.contains("No such file") }, "\(setup.reports.all)")
    }

    @Test("A client whose files cannot be used at the start is refused")
    func start() throws {
        let setup = try Setup()
        try setup.remove("chain.pem")
        #expect(throws: TransportError.self) { try setup.connector() }
        #expect(setup.reports.all == [])
    }

    // MARK: Stamps

    @Test("A stamp changes with the content, with the file behind a link, and with the files of a directory")
    func stamps() throws {
        let files = FileManager.default
        let folder = files.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString)")
        try files.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? files.removeItem(at: folder) }
        let (one, two, link) = (
            folder.appending(path: "one"), folder.appending(path: "two"), folder.appending(path: "link")
        )
        #expect(FileStamp(one.path) == nil)
        try Data("1".utf8).write(to: one)
        try Data("1".utf8).write(to: two)
        try files.createSymbolicLink(at: link, withDestinationURL: one)
        let stamp = try #require(FileStamp(link.path))
        #expect(stamp == FileStamp(one.path) && stamp != FileStamp(two.path))
        let all = FileStamp.all(at: folder.path)
        #expect(all.count == 4)
        // In place, so that the directory itself does not change.
        let handle = try FileHandle(forWritingTo: two)
        try handle.seekToEnd()
        try handle.write(contentsOf: Data("2".utf8))
        try handle.close()
        #expect(FileStamp.all(at: folder.path) != all)
        #expect(FileStamp(link.path) == stamp)
        try files.removeItem(at: link)
        try files.createSymbolicLink(at: link, withDestinationURL: two)
        #expect(FileStamp(link.path) != stamp)
    }

    // MARK: The validity of the client's own certificate

    @Test(
        "An expired or future client certificate is refused before anything is sent",
        arguments: [
            (
                "expired", Moment.endOfExpired + 1, TransportError.Code.clientCertificateExpired,
                "expired on 2021-01-01 at 00:00:00 UTC"
            ),
            (
                "future", Moment.startOfFuture - 1, .clientCertificateNotYetValid,
                "is not valid before 2119-01-01 at 00:00:00 UTC"
            ),
        ])
    func validity(name: String, now: Int, code: TransportError.Code, text: String) async throws {
        let setup = try Setup(name)
        let accepted = Accepted()
        try await withListener(accepted: accepted) { port, _ in
            let endpoint = Endpoint(host: "localhost", port: port, security: .tls)
            let error = try await setup.connector(now: { now }).failure(connectingTo: endpoint)
            #expect(error.code == code)
            #expect(error.message.contains(text), "\(error)")
            for text in ["\"\(name)\"", "chain.pem", "tls.clientCertificate.chain"] {
                #expect(error.message.contains(text), "\(error)")
            }
            // The first connection that arrives is a later one.
            let near = try await SocketConnector().probe(Endpoint(host: "localhost", port: port))
            try await near.write("later")
            #expect(await (try accepted.next()).read(5) == "later")
            near.link.close()
        }
    }

    @Test("The validity is checked at each attempt, against the clock of that moment and the current file")
    func validityLater() async throws {
        let setup = try Setup("expired")
        let clock = Clock(Moment.endOfExpired)
        let server = Fixture.server { $0.clientTrustRoots = .file(Fixture.path("ca.pem")) }
        try await withListener(tls: server) { port, _ in
            let endpoint = Endpoint(host: "localhost", port: port, security: .tls)
            let connector = try setup.connector { clock.now }
            // Valid for our clock; the listener has another one.
            #expect(try await connector.failure(connectingTo: endpoint).code == .clientCertificateRejected)
            clock.now = Moment.endOfExpired + 1
            #expect(try await connector.failure(connectingTo: endpoint).code == .clientCertificateExpired)
            try setup.installPair("client")
            try await connector.probe(endpoint).link.close()
        }
    }

    @Test("A client without a certificate does not look at the clock")
    func noCertificate() async throws {
        try await withListener(tls: Fixture.server()) { port, _ in
            let connector = try SocketConnector(tls: Fixture.client(), now: { 0 })
            try await connector.probe(Endpoint(host: "localhost", port: port, security: .tls)).link.close()
        }
    }
}

/// In seconds since 1970.
private enum Moment {
    /// 2021-01-01 00:00:00 UTC, when the certificate `expired` ends.
    static let endOfExpired = 1_609_459_200
    /// 2119-01-01 00:00:00 UTC, when the certificate `future` begins.
    static let startOfFuture = 4_701_974_400
}

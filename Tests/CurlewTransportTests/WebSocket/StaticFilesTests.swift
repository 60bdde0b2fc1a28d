import Foundation
import NIOCore
import Testing

@testable import CurlewTransport

@Suite("Static files of a listener for WebSocket", .timeLimit(.minutes(1)))
struct StaticFilesTests {
    /// Runs a listener for a folder with some files; the body gets what it answers to a request.
    private func withAnswers(
        _ body: (_ folder: URL, _ answer: (String) async throws -> String) async throws -> Void
    ) async throws {
        let outside = FileManager.default.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString)")
        let folder = outside.appending(path: "page")
        try FileManager.default.createDirectory(at: folder.appending(path: "sub"), withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: outside) }
        try Data("secret".utf8).write(to: outside.appending(path: "secret.txt"))
        try Data("<p>home</p>".utf8).write(to: folder.appending(path: "index.html"))
        try Data("let a = 1".utf8).write(to: folder.appending(path: "sub/a b.js"))
        try Data("hidden".utf8).write(to: folder.appending(path: ".hidden"))
        try Data().write(to: folder.appending(path: "empty"))
        try FileManager.default.createSymbolicLink(
            at: folder.appending(path: "out.txt"), withDestinationURL: outside.appending(path: "secret.txt"))
        try FileManager.default.createSymbolicLink(
            at: folder.appending(path: "in.html"), withDestinationURL: folder.appending(path: "index.html"))

        var settings = WebSocketServerSettings()
        settings.folder = try StaticFolder(folder.path)
        let accepted = Accepted(echoes: true)
        let listener = try await SocketListener.bind(webSocket: settings) { accepted.accept($0) }
        do {
            try await body(folder) { request in
                let client = try await SocketConnector().probe(Endpoint(host: "127.0.0.1", port: listener.port))
                try await client.write(request)
                var answer: [UInt8] = []
                while let event = await client.nextEvent() {
                    if case .read(let more) = event { answer += Array(more.readableBytesView) }
                    if case .closed = event { break }
                }
                return String(decoding: answer, as: UTF8.self)
            }
        } catch {
            await listener.close()
            throw error
        }
        await listener.close()
    }

    @Test("Files are served with their type, and a folder by its index.html")
    func served() async throws {
        try await self.withAnswers { _, answer in
            for (path, type, body) in [
                ("/", "text/html; charset=utf-8", "<p>home</p>"), ("/?x=1", "text/html; charset=utf-8", "<p>home</p>"),
                ("//index.html", "text/html; charset=utf-8", "<p>home</p>"),
                ("/in.html", "text/html; charset=utf-8", "<p>home</p>"),
                ("/sub/a%20b.js", "text/javascript; charset=utf-8", "let a = 1"),
                ("/empty", "application/octet-stream", ""),
            ] {
                let text = try await answer("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"), "\(path): \(text)")
                #expect(text.contains("Content-Type: \(type)\r\n"), "\(path): \(text)")
                #expect(text.hasSuffix("\r\n\r\n\(body)"), "\(path): \(text)")
            }
            let head = try await answer("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(head.contains("Content-Length: 11\r\n") && head.hasSuffix("\r\n\r\n"), "\(head)")
        }
    }

    @Test(
        "Nothing hidden and nothing outside of the folder is served",
        arguments: [
            "/.hidden", "/../secret.txt", "/%2e%2e/secret.txt", "/sub/..%2f..%2fsecret.txt", "/sub/../../secret.txt",
            "/out.txt", "/nothing", "/sub", "/sub/", "/a%00b", "/%zz", "/index.html/x", "http://a/index.html",
        ])
    func refused(path: String) async throws {
        try await self.withAnswers { _, answer in
            let text = try await answer("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(text.hasPrefix("HTTP/1.1 404 Not Found\r\n"), "\(text)")
            #expect(!text.contains("secret") && !text.contains("hidden"), "\(text)")
        }
    }

    @Test("A large file arrives whole, and a WebSocket can be opened beside the files")
    func large() async throws {
        try await self.withAnswers { folder, answer in
            let content = String(repeating: "0123456789abcdef", count: 40_000)
            try Data(content.utf8).write(to: folder.appending(path: "large.txt"))
            let text = try await answer("GET /large.txt HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(text.hasSuffix("\r\n\r\n" + content))
            let posted = try await answer("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
            #expect(posted.hasPrefix("HTTP/1.1 426 "), "\(posted)")
        }
    }

    @Test("A folder that does not exist is an error at the start")
    func missing() {
        let error = #expect(throws: TransportError.self) { try StaticFolder("/nowhere") }
        #expect(error?.code == .invalidConfiguration && error?.message.contains("/nowhere") == true)
    }
}

import NIOCore
import Testing

@testable import CurlewTransport

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

@Suite("Unix domain sockets", .timeLimit(.minutes(1)))
struct SocketFileTests {
    private func withPath(_ body: (String) async throws -> Void) async throws {
        let path = "/tmp/curlew-\(UInt64.random(in: 0 ... .max)).sock"
        defer { unlink(path) }
        try await body(path)
    }

    private func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Makes a socket on which nobody listens, like a program that was killed.
    private func leaveBehind(_ path: String) throws {
        #if canImport(Darwin) || canImport(Musl)
        let descriptor = socket(AF_UNIX, SOCK_STREAM, 0)
        #else
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        #endif
        defer { close(descriptor) }
        let address = try SocketAddress(unixDomainSocketPath: path)
        #expect(address.withSockAddr { bind(descriptor, $0, socklen_t($1)) } == 0)
    }

    private func failure(listeningOn file: SocketFile) async throws -> TransportError {
        do {
            let listener = try await SocketListener.bind(to: .socketFile(file)) { Probe($0) }
            await listener.close()
            return TransportError(.connectionLost, "no failure")
        } catch {
            return error
        }
    }

    @Test("The file has the mode, and is removed at the end")
    func file() async throws {
        try await self.withPath { path in
            let listener = try await SocketListener.bind(to: .socketFile(SocketFile(path: path, permissions: 0o620))) {
                Probe($0)
            }
            var status = stat()
            #expect(lstat(path, &status) == 0 && status.st_mode & 0o777 == 0o620)
            await listener.close()
            #expect(!self.exists(path))
        }
    }

    @Test("The peer's user is known, and the peer is local")
    func user() async throws {
        try await self.withPath { path in
            let accepted = Accepted()
            let listener = try await SocketListener.bind(to: .socketFile(SocketFile(path: path))) {
                accepted.accept($0)
            }
            let near = try await SocketConnector().probe(Endpoint(socketFile: path))
            let far = try await accepted.next()
            #expect(far.link.peerUserID == getuid() && far.link.isLocal)
            #expect(near.link.peer == path)
            near.link.close()
            await listener.close()
        }
    }

    @Test("A file that a program has left behind is replaced, and one in use is not")
    func stale() async throws {
        try await self.withPath { path in
            let first = try await SocketListener.bind(to: .socketFile(SocketFile(path: path))) { Probe($0) }
            let inUse = try await self.failure(listeningOn: SocketFile(path: path))
            #expect(inUse.message == "Another program listens on \(path); end it, or choose another path.")
            await first.close()
            try self.leaveBehind(path)
            let listener = try await SocketListener.bind(to: .socketFile(SocketFile(path: path))) { Probe($0) }
            await listener.close()
        }
    }

    @Test("A listener that stops leaves the file of another program alone")
    func replaced() async throws {
        try await self.withPath { path in
            let first = try await SocketListener.bind(to: .socketFile(SocketFile(path: path))) { Probe($0) }
            unlink(path)
            let second = try await SocketListener.bind(to: .socketFile(SocketFile(path: path))) { Probe($0) }
            await first.close()
            #expect(self.exists(path))
            await second.close()
            #expect(!self.exists(path))
        }
    }

    @Test("Listening explains what is wrong with the path")
    func listening() async throws {
        try await self.withPath { path in
            let file = open(path, O_CREAT | O_WRONLY, 0o600)
            close(file)
            let other = try await self.failure(listeningOn: SocketFile(path: path))
            #expect(other.message == "\(path) exists and is not a socket; choose another path, or remove the file.")
            #expect(self.exists(path))
        }
        let missing = try await self.failure(listeningOn: SocketFile(path: "/tmp/no-such-directory/a.sock"))
        #expect(missing.message.contains("The directory of /tmp/no-such-directory/a.sock does not exist"))
        let long = try await self.failure(listeningOn: SocketFile(path: "/tmp/" + String(repeating: "x", count: 120)))
        #expect(long.message.contains("too long for a Unix domain socket"))
    }

    @Test("Connecting explains what is wrong with the path")
    func connecting() async throws {
        func failure(_ path: String) async throws -> String {
            try await SocketConnector().failure(connectingTo: Endpoint(socketFile: path)).message
        }
        #expect(try await failure("/tmp/no-such.sock").contains("There is no socket /tmp/no-such.sock"))
        #expect(try await failure("/tmp/" + String(repeating: "x", count: 120)).contains("too long"))
        try await self.withPath { path in
            try self.leaveBehind(path)
            #expect(try await failure(path).contains("is not the socket of a program that runs now"))
        }
    }
}

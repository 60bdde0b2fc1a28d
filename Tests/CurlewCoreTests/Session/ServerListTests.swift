import CurlewCore
import Testing

@Suite("Server list")
struct ServerListTests {
    typealias Server = ServerList.Server

    @Test("Servers are tried in order, round after round")
    func rounds() {
        var list = ServerList(count: 3)
        for _ in 0..<2 {
            #expect(list.current == Server(index: 0))
            #expect(list.currentFailed() == .tryNext)
            #expect(list.current == Server(index: 1))
            #expect(list.currentFailed() == .tryNext)
            #expect(list.current == Server(index: 2))
            #expect(list.currentFailed() == .roundIsOver)
        }
    }

    @Test("A single server is a round of its own")
    func single() {
        var list = ServerList(count: 1)
        #expect(list.currentFailed() == .roundIsOver)
        #expect(list.current == Server(index: 0))
    }

    @Test("A new round begins at the current server")
    func newRound() {
        var list = ServerList(count: 2)
        #expect(list.currentFailed() == .tryNext)
        list.startRound()
        #expect(list.current == Server(index: 1))
        #expect(list.currentFailed() == .tryNext)
        #expect(list.currentFailed() == .roundIsOver)
    }

    @Test("A temporary redirection is tried first, then the configured servers")
    func detour() {
        var list = ServerList(count: 2)
        let (first, second) = (ServerAddress(host: "x"), ServerAddress(host: "y", port: 1))
        list.useInstead([first, second])
        #expect(list.current == Server(index: 0, address: first))
        #expect(list.currentFailed() == .tryNext)
        #expect(list.current == Server(index: 0, address: second))
        #expect(list.currentFailed() == .tryNext)
        #expect(list.current == Server(index: 1))
        #expect(list.currentFailed() == .roundIsOver)
        #expect(list.current == Server(index: 0))
    }

    @Test("A server that moved is replaced permanently, in its place")
    func moved() {
        var list = ServerList(count: 3)
        _ = list.currentFailed()
        list.replaceCurrent(by: [ServerAddress(host: "x"), ServerAddress(host: "y")])
        var seen: [Server] = []
        for _ in 0..<8 {
            seen.append(list.current)
            _ = list.currentFailed()
        }
        let round = [
            Server(index: 1, address: ServerAddress(host: "x")), Server(index: 1, address: ServerAddress(host: "y")),
            Server(index: 2), Server(index: 0),
        ]
        #expect(seen == round + round)
    }

    @Test("A server that moved again is replaced again; an empty list is ignored")
    func movedAgain() {
        var list = ServerList(count: 1)
        list.useInstead([ServerAddress(host: "detour")])
        list.replaceCurrent(by: [ServerAddress(host: "x")])
        list.replaceCurrent(by: [ServerAddress(host: "y")])
        list.replaceCurrent(by: [])
        #expect(list.current == Server(index: 0, address: ServerAddress(host: "y")))
        #expect(list.currentFailed() == .roundIsOver)
    }

    @Test(
        "A Server Reference is a list of hosts with optional ports",
        arguments: [
            ("myserver.xyz.org", ["myserver.xyz.org"]), ("myserver.xyz.org:8883", ["myserver.xyz.org:8883"]),
            ("10.10.151.22:8883 [fe80::9610:3eff:fe1c]:1883", ["10.10.151.22:8883", "[fe80::9610:3eff:fe1c]:1883"]),
            ("[::1]", ["[::1]"]), ("::1", ["[::1]"]), ("  a   b ", ["a", "b"]),
            ("xn--mller-kva.example:1 a:1 a:1 b", ["xn--mller-kva.example:1", "a:1", "b"]),
            ("[fe80::1%eth0]:1", ["[fe80::1%eth0]:1"]),
        ])
    func reference(text: String, expected: [String]) {
        #expect(ServerAddress.list(fromReference: text).map(\.description) == expected)
    }

    @Test(
        "Invalid addresses in a Server Reference are skipped",
        arguments: [
            "", " ", ":", ":1883", "a:", "a:0", "a:65536", "a:+1", "a:x", "[::1", "[::1]1883", "[::1]:", "[a]:1", "a/b",
            "u@h",
            "a\u{1}b", "a\u{9B}b", "a\u{202E}b", "mqtt://a", "a\\b", "[[::1]]", "a]b",
            String(repeating: "a", count: 256),
            "a:99999999999999999999",
        ])
    func badReference(text: String) {
        #expect(ServerAddress.list(fromReference: text + " good").map(\.host) == ["good"])
    }

    @Test("A long Server Reference is cut")
    func longReference() {
        let text = (0..<5_000).map { "h\($0)" }.joined(separator: " ")
        #expect(ServerAddress.list(fromReference: text).count == ServerAddress.maximumReferences)
    }
}

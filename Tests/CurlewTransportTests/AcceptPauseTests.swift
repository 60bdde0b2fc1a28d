import CurlewCore
import Foundation
import NIOCore
import Testing

@testable import CurlewTransport

@Suite("Pausing accepts")
struct AcceptPauseTests {
    private let start = Timestamp.start

    @Test("An episode begins once, however often accepting fails")
    func oneEpisode() {
        var pause = AcceptPause()
        #expect(pause.failed(now: self.start) == .begins(rest: .milliseconds(100)))
        #expect(pause.failed(now: self.start + .milliseconds(100)) == .goesOn(rest: .milliseconds(100)))
        #expect(pause.accepted(now: self.start + .seconds(1)) == .normal)
        #expect(pause.failed(now: self.start + .seconds(2)) == .goesOn(rest: .milliseconds(100)))
    }

    @Test("An episode ends after accepting has worked for ten seconds; a later failure begins a new one")
    func recovery() {
        var pause = AcceptPause()
        _ = pause.failed(now: self.start)
        #expect(pause.accepted(now: self.start + .seconds(9)) == .normal)
        #expect(pause.accepted(now: self.start + .seconds(10)) == .recovered)
        #expect(pause.accepted(now: self.start + .seconds(11)) == .normal)
        #expect(pause.failed(now: self.start + .seconds(12)) == .begins(rest: .milliseconds(100)))
    }

    @Test(
        "A lack of descriptors or memory is reported with advice",
        arguments: [
            (EMFILE, "ulimit -n"), (ENFILE, "fs.file-max"), (ENOBUFS, "no memory left"), (ENOMEM, "no memory left"),
        ])
    func explanations(errno: CInt, words: String) throws {
        let error = IOError(errnoCode: errno, reason: "accept")
        let accepting = try #require(TransportError(acceptingFailedWith: error))
        #expect(accepting.code == .outOfResources)
        #expect(accepting.message.contains(words))
        let endpoint = Endpoint(host: "localhost", port: 1883)
        let connecting = TransportError(connectingTo: endpoint, failedWith: error, timeout: .seconds(1))
        #expect(connecting.code == .outOfResources)
        #expect(connecting.message.contains(words))
        #expect(TransportError(listeningOn: "::", port: 1, failedWith: error).message.contains(words))
    }

    @Test("A client that closes before it is accepted causes no pause")
    func aborted() {
        #expect(TransportError(acceptingFailedWith: IOError(errnoCode: ECONNABORTED, reason: "accept")) == nil)
    }
}

import CurlewCore
import Synchronization
import Testing

@testable import CurlewTransport

@Suite("What a peer has proved itself by")
struct PeerTrustTests {
    /// Whether a client is trusted after the keys are others, or have only been read again.
    private func isTrusted(identity: ExactText?, after keys: [ExactText: Redacted<[UInt8]>]) throws -> Bool {
        let current = Mutex<[ExactText: Redacted<[UInt8]>]>(["a": [1], "b": [2]])
        var settings = TLSServerSettings()
        settings.preSharedKeySource = { current.withLock { $0 } }
        let context = try TLSServerContext(settings)
        let trust = PeerTrust(context, context.material)
        if let identity { trust.note(identity) }
        current.withLock { $0 = keys }
        try context.reload()
        return trust.isValid(hasCertificate: false)
    }

    @Test("A client that has resumed a session of TLS, and named no key, is trusted while all keys are the same")
    func resumed() throws {
        #expect(try self.isTrusted(identity: nil, after: ["a": [1], "b": [2]]))
        #expect(try !self.isTrusted(identity: nil, after: ["b": [2]]))
        #expect(try !self.isTrusted(identity: nil, after: ["a": [3], "b": [2]]))
        #expect(try self.isTrusted(identity: "b", after: ["b": [2]]))
    }
}

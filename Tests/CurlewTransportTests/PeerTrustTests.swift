import CurlewCore
import Synchronization
import Testing

@testable import CurlewTransport

@Suite("Trust in TLS peers")
struct PeerTrustTests {
    /// Whether a client is still trusted after a reload with these keys.
    private func isTrusted(identity: ExactText?, after keys: [ExactText: Redacted<[UInt8]>]) throws -> Bool {
        let current = Mutex<[ExactText: Redacted<[UInt8]>]>(["a": [1], "b": [2]])
        var settings = TLSServerSettings()
        settings.preSharedKeySource = { current.withLock { $0 } }
        let context = try TLSServerContext(settings)
        let trust = PeerTrust(context, context.material)
        if let identity { trust.note(identity) }
        current.withLock { $0 = keys }
        try context.reload()
        return trust.isValid(nil)
    }

    @Test("A client that resumed a TLS session without naming a key is trusted only while no key is changed or removed")
    func resumed() throws {
        #expect(try self.isTrusted(identity: nil, after: ["a": [1], "b": [2]]))
        #expect(try !self.isTrusted(identity: nil, after: ["b": [2]]))
        #expect(try !self.isTrusted(identity: nil, after: ["a": [3], "b": [2]]))
        #expect(try self.isTrusted(identity: "b", after: ["b": [2]]))
    }
}

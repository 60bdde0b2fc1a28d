import CurlewCore
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// What a listener's new connections do TLS with.
final class ListenerTLS: Sendable {
    /// What was made of the settings and their files at one time.
    struct Material: Sendable {
        let context: NIOSSLContext
        /// The authorities of clients' certificates; `nil` where there are none, or those of the system.
        let authorities: Set<NIOSSLCertificate>?
        let preSharedKeys: [ExactText: [UInt8]]
        let usesPreSharedKeys: Bool
    }

    private let settings: TLSServerSettings
    /// Guards what was made of the files when they were last read.
    private let current: Mutex<Material>

    init(_ settings: TLSServerSettings) throws(TransportError) {
        self.settings = settings
        self.current = Mutex(try settings.load())
    }

    var material: Material { self.current.withLock { $0 } }

    func reload() throws(TransportError) {
        let material = try self.settings.load()
        self.current.withLock { $0 = material }
    }
}

/// What the peer of a connection proved itself by in its handshake.
final class PeerTrust: Sendable {
    private let tls: ListenerTLS
    /// What the connection was accepted with.
    private let authorities: Set<NIOSSLCertificate>?
    private let preSharedKeys: [ExactText: [UInt8]]
    /// Guards the identity of the pre-shared key that the peer named, once it has.
    private let identity = Mutex<ExactText?>(nil)

    init(_ tls: ListenerTLS, _ material: ListenerTLS.Material) {
        self.tls = tls
        self.authorities = material.authorities
        self.preSharedKeys = material.preSharedKeys
    }

    func note(_ identity: ExactText) { self.identity.withLock { $0 = identity } }

    /// Whether it would do for a new connection, too. A certificate is not verified again: once an authority is no longer trusted, all who
    /// have presented a certificate have to connect again.
    func isValid(hasCertificate: Bool) -> Bool {
        let material = self.tls.material
        if let identity = self.identity.withLock({ $0 }) {
            return self.preSharedKeys[identity] == material.preSharedKeys[identity]
        }
        guard hasCertificate, let authorities else { return true }
        return material.authorities.map { authorities.isSubset(of: $0) } ?? true
    }
}

/// Tells which connection's handshake goes on when TLS asks for a pre-shared key: it only tells the identity.
final class HandshakeWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// The connection whose bytes TLS takes on this thread at the moment.
    private static let current = ThreadSpecificVariable<PeerTrust>()

    private let trust: PeerTrust

    init(_ trust: PeerTrust) { self.trust = trust }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        Self.current.currentValue = self.trust
        context.fireChannelRead(data)
        Self.current.currentValue = nil
    }

    /// The connection's client has named the key of that identity, and there is one.
    static func noteIdentity(_ identity: ExactText) { self.current.currentValue?.note(identity) }
}

@available(*, unavailable)
extension HandshakeWatch: Sendable {}

import CurlewCore
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// What the peer of a connection proved itself by in its handshake.
final class PeerTrust: Sendable {
    private let tls: TLSServerContext
    /// What the connection was accepted with.
    private let material: TLSServerContext.Material
    /// Guards the identity of the pre-shared key that the peer named, once it has.
    private let identity = Mutex<ExactText?>(nil)

    init(_ tls: TLSServerContext, _ material: TLSServerContext.Material) {
        self.tls = tls
        self.material = material
    }

    func note(_ identity: ExactText) { self.identity.withLock { $0 = identity } }

    /// Whether it would do for a new connection, too. A certificate is not verified again: once an authority is no longer trusted, all who
    /// have presented a certificate have to connect again.
    func isValid(hasCertificate: Bool) -> Bool {
        let now = self.tls.material
        if let identity = self.identity.withLock({ $0 }) {
            return self.material.preSharedKeys[identity] == now.preSharedKeys[identity]
        }
        // A client that resumes a TLS session names no identity: its key may be any of those that there were.
        if self.material.usesPreSharedKeys { return self.material.preSharedKeys == now.preSharedKeys }
        guard hasCertificate, let former = self.material.authorities, let authorities = now.authorities else {
            return true
        }
        return Set(former).isSubset(of: authorities)
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

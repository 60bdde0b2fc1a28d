import CurlewCore
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// What the peer of a connection authenticated with in its TLS handshake.
final class PeerTrust: Sendable {
    private let tls: TLSServerContext
    /// The settings and files with which the connection was accepted.
    private let material: TLSServerContext.Material
    /// Guards the identity of the pre-shared key, `nil` until the peer has named it.
    private let identity = Mutex<ExactText?>(nil)
    /// Knows the certificates of the peer's chain, if there were revocation lists when it connected.
    private let revocation: RevocationCheck?

    init(_ tls: TLSServerContext, _ material: TLSServerContext.Material, _ revocation: RevocationCheck? = nil) {
        self.tls = tls
        self.material = material
        self.revocation = revocation
    }

    func note(_ identity: ExactText) { self.identity.withLock { $0 = identity } }

    /// Whether a new connection could still authenticate with it. Certificates are not verified again: once an
    /// authority is no longer trusted, all peers that have presented a certificate must reconnect. Of revocation lists,
    /// only those that contain a certificate matter, not those that are missing or outdated.
    ///
    /// - Parameter certificate: The peer's, in DER form; `nil` if it presented none.
    func isValid(_ certificate: [UInt8]?) -> Bool {
        let now = self.tls.material
        if let identity = self.identity.withLock({ $0 }) {
            return self.material.preSharedKeys[identity] == now.preSharedKeys[identity]
        }
        // A client that resumes a TLS session names no identity, so its key may be any of the former ones.
        if self.material.usesPreSharedKeys { return self.material.preSharedKeys == now.preSharedKeys }
        guard let certificate, !self.isRevoked(certificate, by: now.revocationLists) else { return certificate == nil }
        guard let former = self.material.authorities, let authorities = now.authorities else { return true }
        return Set(former).isSubset(of: authorities)
    }

    private func isRevoked(_ certificate: [UInt8], by lists: RevocationLists?) -> Bool {
        guard let lists else { return false }
        let chain = self.revocation?.identifiers ?? RevocableCertificate(der: certificate).map { [$0.identifier] } ?? []
        return chain.contains { lists.isRevoked($0, at: ValidityPeriod.now) }
    }
}

/// Remembers which connection's handshake is in progress while TLS asks for a pre-shared key, because TLS passes only
/// the identity.
final class HandshakeWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// The connection whose bytes TLS is currently processing on this thread.
    private static let current = ThreadSpecificVariable<PeerTrust>()

    private let trust: PeerTrust

    init(_ trust: PeerTrust) { self.trust = trust }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        Self.current.currentValue = self.trust
        context.fireChannelRead(data)
        Self.current.currentValue = nil
    }

    /// The client of the current connection has named a known identity.
    static func noteIdentity(_ identity: ExactText) { self.current.currentValue?.note(identity) }
}

@available(*, unavailable)
extension HandshakeWatch: Sendable {}

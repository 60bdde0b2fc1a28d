import NIOSSL
import Synchronization

/// Checks the certificates of one connection's peer against revocation lists, during the handshake.
///
/// TLS verifies everything else itself and calls ``verify(_:_:)`` for each certificate of the chain, from the root to
/// the peer's own, without saying which one is the last. Only the peer's own certificate needs a list of its issuer, so
/// the lack of a list is an error only once it is known whose certificate it is.
final class RevocationCheck: Sendable {
    private struct State {
        /// The certificate of the previous call: the issuer of the next one.
        var previous: RevocableCertificate?
        /// What is wrong with the previous certificate if it turns out to be the peer's own.
        var objectionToPeer: RevocationFinding?
        /// Why the handshake failed.
        var refusal: RevocationFinding?
        /// The certificates of the chain, except a root that is not the peer's own.
        var identifiers: [RevocableCertificate.Identifier] = []
    }

    private let lists: RevocationLists
    /// The current time in seconds since 1970.
    private let now: @Sendable () -> Int
    /// Guards the progress. All calls come from one event loop, except those after a reload.
    private let state = Mutex(State())

    init(_ lists: RevocationLists, now: @escaping @Sendable () -> Int = { ValidityPeriod.now }) {
        self.lists = lists
        self.now = now
    }

    /// Why the check made the handshake fail; `nil` if something else did.
    var refusal: RevocationFinding? { self.state.withLock { $0.refusal } }

    /// The certificates to check again when the lists change. Only complete after ``conclude(_:)``.
    var identifiers: [RevocableCertificate.Identifier] { self.state.withLock { $0.identifiers } }

    /// The callback for TLS.
    ///
    /// - Parameter result: What TLS found. The check never accepts what TLS does not.
    func verify(_ result: NIOSSLVerificationResult, _ certificate: NIOSSLCertificate) -> NIOSSLVerificationResult {
        guard result == .certificateVerified else { return .failed }
        return self.accept(RevocableCertificate(certificate)) ? .certificateVerified : .failed
    }

    /// Checks the next certificate of a verified chain, from the root to the peer's own.
    ///
    /// - Parameter certificate: `nil` if it cannot be read.
    /// - Returns: Whether the handshake may go on.
    func accept(_ certificate: RevocableCertificate?) -> Bool {
        self.state.withLock { state in
            guard let certificate else {
                state.refusal = RevocationFinding(.unreadable, nil)
                return false
            }
            let isRoot = state.previous == nil
            let issuer = state.previous ?? certificate
            state.previous = certificate
            // The previous certificate is not the last one.
            state.objectionToPeer = nil
            if isRoot {
                // Trusted without a list, unless it is the peer's own.
                state.identifiers = []
            } else if certificate.hasPolicyConstraints {
                // If the policies of the chain do not satisfy them, TLS calls back without a certificate, on which
                // NIOSSL traps.
                state.refusal = RevocationFinding(
                    .policyConstraints, certificate.contents, isOfAuthority: certificate.isAuthority)
                return false
            } else {
                state.identifiers.append(certificate.identifier)
            }
            guard let reason = self.lists.objection(to: certificate, issuedBy: issuer, at: self.now()) else {
                return true
            }
            let finding = RevocationFinding(
                reason, certificate.contents, isOfAuthority: certificate.isAuthority && !isRoot)
            if isRoot || certificate.isAuthority && reason == .noList {
                state.objectionToPeer = finding
                return true
            }
            state.refusal = finding
            return false
        }
    }

    /// Checks what only the end of a successful handshake shows.
    ///
    /// - Parameter certificate: The peer's certificate; `nil` if it presented none.
    /// - Returns: Why the peer must be refused; `nil` if it need not.
    func conclude(_ certificate: NIOSSLCertificate?) -> RevocationFinding? {
        guard let certificate else { return nil }
        return self.conclude(RevocableCertificate(certificate))
    }

    func conclude(_ certificate: RevocableCertificate?) -> RevocationFinding? {
        self.state.withLock { state in
            guard let certificate else {
                state.refusal = RevocationFinding(.unreadable, nil)
                return state.refusal
            }
            if state.previous != nil {
                state.refusal = state.objectionToPeer.map { finding in
                    var finding = finding
                    finding.isOfAuthority = false
                    return finding
                }
            } else {
                // A resumed session: TLS verified the certificate when the session began. That was with the same lists,
                // because a reload changes the keys of session tickets, but a list may have become outdated since.
                state.refusal = self.lists.objection(toVerified: certificate.identifier, at: self.now())
                    .map { RevocationFinding($0, certificate.contents) }
            }
            if state.identifiers.isEmpty { state.identifiers = [certificate.identifier] }
            return state.refusal
        }
    }
}

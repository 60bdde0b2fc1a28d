/// A client's handshake that failed before there was a link.
package struct FailedHandshake: Sendable {
    /// What the handshake was for, for a log line: `TLS`, `WebSocket` or `PROXY protocol`.
    package let layer: String
    /// The client's address.
    package let peer: String
    package let error: TransportError
    /// Whether the client only left or never started the handshake, as port scanners and health checks often do.
    package let isAbandoned: Bool
    /// The name in the certificate that the client presented, verified or not.
    package let certificateName: String?

    package init(
        _ layer: String = "TLS", peer: String, error: TransportError, isAbandoned: Bool, certificateName: String? = nil
    ) {
        self.layer = layer
        self.peer = peer
        self.error = error
        self.isAbandoned = isAbandoned
        self.certificateName = certificateName
    }

    init(peer: String, error: TransportError?, _ diagnosis: TLSDiagnosis, certificateName: String?) {
        self.layer = "TLS"
        self.peer = peer
        self.error = error ?? TransportError(.tlsFailed, sentence: diagnosis.closedEarly)
        self.isAbandoned = error.map(TLSDiagnosis.isAbandonment) ?? true
        self.certificateName = certificateName
    }
}

extension TLSDiagnosis {
    /// Whether a handshake failed only because the peer closed the connection or went silent.
    fileprivate static func isAbandonment(_ error: TransportError) -> Bool {
        guard let cause = error.cause else { return error.code == .timedOut }
        return !Self.covers(cause) || BoringSSLReason.all(in: cause).contains(.endOfFile)
    }
}

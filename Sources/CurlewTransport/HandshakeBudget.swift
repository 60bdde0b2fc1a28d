/// Limits the memory for the TLS handshakes of a listener, while the clients are still unknown.
package protocol HandshakeBudget: Sendable {
    /// Reserves memory for a handshake. Returns `false` and reserves nothing if there is not enough.
    func take(_ byteCount: Int) -> Bool

    /// Returns reserved bytes.
    func giveBack(_ byteCount: Int)
}

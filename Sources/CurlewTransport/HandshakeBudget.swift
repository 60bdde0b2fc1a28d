/// Bounds what the TLS handshakes of a listener take in memory, before anybody knows who the clients are.
package protocol HandshakeBudget: Sendable {
    /// Takes so many bytes for a handshake. Returns `false`, having taken nothing, when there is no room for them.
    func take(_ byteCount: Int) -> Bool

    /// Gives bytes back that were taken.
    func giveBack(_ byteCount: Int)
}

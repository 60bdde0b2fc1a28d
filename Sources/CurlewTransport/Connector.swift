package import NIOCore

/// Creates links.
package protocol Connector: Sendable {
    /// Connects to `endpoint`.
    ///
    /// Cancelling the task ends the attempt. The connector limits its time.
    ///
    /// - Parameter handler: Creates the owner of the link. Called on `eventLoop` when the link is open (connected, and
    ///   with TLS verified), before any byte is read. Not called if the attempt fails.
    func connect(
        to endpoint: Endpoint, on eventLoop: any EventLoop,
        handler: @escaping @Sendable (any Link) -> any LinkHandler
    ) async throws(TransportError)
}

package import NIOCore

/// A byte stream to a peer, independent of the transport.
package protocol Link: AnyObject, Sendable {
    var eventLoop: any EventLoop { get }

    /// The peer's address for logs: `host:port`, or the path of a Unix domain socket; on the side of a listener `unix`.
    /// Contains no secrets.
    var peer: String { get }

    /// Whether the peer is on the same machine.
    var isLocal: Bool { get }

    /// The peer's certificate in DER, verified by TLS; `nil` if there is none.
    var peerCertificate: [UInt8]? { get }

    /// The application protocol that both ends agreed on in the TLS handshake (ALPN, RFC 7301); `nil` if there is none.
    var applicationProtocol: String? { get }

    /// The user that the peer's process runs as, on a Unix domain socket; `nil` if it is not known.
    var peerUserID: UInt32? { get }

    /// Whether the listener, after reloading its files, would still accept what the peer authenticated with in the TLS
    /// handshake: the authority of its certificate, or its pre-shared key. `true` if it did not authenticate. Call on
    /// the event loop only.
    var isStillTrusted: Bool { get }

    /// Whether the link has room for another write; on the event loop only.
    ///
    /// Writes are never refused, but more writes use more memory.
    var isWritable: Bool { get }

    /// The number of bytes that were written and have not left this process; on the event loop only.
    var unsentBytes: Int { get }

    /// The number of bytes that were received and cannot be passed on yet, because the rest of a frame is missing; on
    /// the event loop only.
    var heldBytes: Int { get }

    /// An estimate of the memory of the link without its unsent bytes, in bytes: the state and the buffers of TLS.
    var overhead: Int { get }

    /// Writes and flushes at once, with one system call if the socket accepts it; on the event loop only.
    ///
    /// Discards the bytes if the link is closing or closed.
    func write(_ bytes: ByteBuffer)

    /// Turns reading on (the initial state) or off, to apply back-pressure to the peer; on the event loop only.
    func setReading(_ isOn: Bool)

    /// Passes all bytes to the owner that this machine has received by now, then calls `body`; on the event loop only.
    ///
    /// Reads even if reading is turned off. Calls `body` exactly once, in a separate task, even if the link closes in
    /// the meantime.
    ///
    /// - Parameters:
    ///   - maximum: The maximum number of bytes to pass on. The last read may exceed it.
    ///   - limit: How long to wait for bytes that have arrived.
    func drain(atMost maximum: Int, within limit: Duration, then body: @escaping @Sendable () -> Void)

    /// Sends what was written, tells the peer that no more follows, and closes when the peer has closed too or after
    /// `limit`, whichever is first; on the event loop only.
    ///
    /// Discards what the peer sends in the meantime: the handler gets only `linkClosed`.
    func closeAfterWrites(within limit: Duration)

    /// Closes immediately and discards unsent bytes. Can be called from any thread and more than once.
    func close()
}

extension Link {
    package var peerCertificate: [UInt8]? { nil }
    package var applicationProtocol: String? { nil }
    package var peerUserID: UInt32? { nil }
    package var isLocal: Bool { false }
    package var overhead: Int { 0 }
    package var heldBytes: Int { 0 }
    package var isStillTrusted: Bool { true }

    package func drain(atMost maximum: Int, within limit: Duration, then body: @escaping @Sendable () -> Void) {
        self.eventLoop.execute(body)
    }
}

/// The owner of a link. All methods are called on the link's event loop.
package protocol LinkHandler: AnyObject {
    /// Receives the bytes of one read. Never called after `linkClosed`.
    func linkRead(_ bytes: ByteBuffer)

    /// A series of reads is complete: the time to answer them in one write.
    func linkReadCompleted()

    /// The link has too many unsent bytes to accept more, or has room again.
    func linkWritabilityChanged(_ isWritable: Bool)

    /// The link is closed. Called exactly once, as the last call.
    ///
    /// - Parameter error: `nil` if the peer or this end closed the link, otherwise what broke it.
    func linkClosed(_ error: TransportError?)
}

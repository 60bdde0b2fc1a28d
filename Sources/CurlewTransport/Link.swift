package import NIOCore

/// A byte stream to a peer, over whatever carries it.
package protocol Link: AnyObject, Sendable {
    var eventLoop: any EventLoop { get }

    /// Who is at the other end, for logs: `host:port`. Holds no secrets.
    var peer: String { get }

    /// Whether the peer is on the same machine.
    var isLocal: Bool { get }

    /// The certificate that the peer has presented and TLS has verified, in DER; `nil` if there is none.
    var peerCertificate: [UInt8]? { get }

    /// Whether what the peer proved itself by in the TLS handshake would still do, after the listener has read its files again: the authority
    /// of its certificate, or its pre-shared key. `true` where it proved nothing; on the event loop only.
    var isStillTrusted: Bool { get }

    /// Whether another write would be taken without piling up; on the event loop only.
    ///
    /// A write is never refused for it. Whoever ignores it pays with memory.
    var isWritable: Bool { get }

    /// How many bytes were written and have not left this process yet; on the event loop only.
    var unsentBytes: Int { get }

    /// What the link takes in memory besides what it has not sent, roughly, in bytes: the state and the buffers of TLS.
    var overhead: Int { get }

    /// Writes and flushes in one go: one system call, if the socket takes it; on the event loop only.
    ///
    /// On a link that is closing or closed, the bytes are dropped.
    func write(_ bytes: ByteBuffer)

    /// Turns reading on (as it is at the start) or off, so that the peer feels back-pressure; on the event loop only.
    func setReading(_ isOn: Bool)

    /// Hands the owner what the peer has sent and this machine has received by now, then calls `body`; on the event loop.
    ///
    /// Reads although reading is turned off. `body` is called exactly once, in a task of its own, even if the link closes meanwhile.
    ///
    /// - Parameters:
    ///   - maximum: How many bytes to hand over. The last read may exceed it.
    ///   - limit: How long to wait for bytes that have arrived.
    func drain(atMost maximum: Int, within limit: Duration, then body: @escaping @Sendable () -> Void)

    /// Lets what was written leave, tells the peer that no more will come, and closes when the peer has closed too or when
    /// `limit` has passed, whichever is first; on the event loop only.
    ///
    /// What the peer sends in the meantime is dropped: of the handler's methods only `linkClosed` is still called.
    func closeAfterWrites(within limit: Duration)

    /// Closes at once, without regard for what was not yet written. From any thread; doing it twice is harmless.
    func close()
}

extension Link {
    package var peerCertificate: [UInt8]? { nil }
    package var isLocal: Bool { false }
    package var overhead: Int { 0 }
    package var isStillTrusted: Bool { true }

    package func drain(atMost maximum: Int, within limit: Duration, then body: @escaping @Sendable () -> Void) {
        self.eventLoop.execute(body)
    }
}

/// The owner of a link. All calls come on the link's event loop.
package protocol LinkHandler: AnyObject {
    /// Takes what one read brought. Never called after `linkClosed`.
    func linkRead(_ bytes: ByteBuffer)

    /// The reads that belong together are over: time to answer them in one write.
    func linkReadCompleted()

    /// The link has too much unsent to take more, or has room again.
    func linkWritabilityChanged(_ isWritable: Bool)

    /// The link is gone. Called exactly once, and last.
    ///
    /// - Parameter error: `nil` when the peer closed or we did, otherwise what broke the link.
    func linkClosed(_ error: TransportError?)
}

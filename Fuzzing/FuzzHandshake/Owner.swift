import CurlewCore
import CurlewTransport
import NIOCore

/// The owner of a link: what comes behind the handshake.
final class Owner: LinkHandler {
    /// What it does with what it reads.
    enum Behavior {
        case listen
        case echo
        /// Closes the link at the first read.
        case close
        /// Closes the link at the first read, but sends what was written.
        case closeAfterWrites
    }

    let link: any Link
    private let behavior: Behavior
    private(set) var delivered = ByteBuffer()
    /// Whether nothing may be delivered any more.
    private(set) var isOver = false
    private(set) var isClosed = false
    private(set) var failure: TransportError?

    init(_ link: any Link, _ behavior: Behavior) {
        self.link = link
        self.behavior = behavior
        expect(link.peer == link.peer.printable(keepsLines: false), "the peer is not printable: \(link.peer)")
    }

    func linkRead(_ bytes: ByteBuffer) {
        expect(!self.isOver, "\(bytes.readableBytes) bytes were delivered after the end")
        expect(bytes.readableBytes > 0, "nothing was delivered")
        self.delivered.writeImmutableBuffer(bytes)
        switch self.behavior {
        case .listen: break
        case .echo: self.link.write(bytes)
        case .close:
            self.isOver = true
            self.link.close()
        case .closeAfterWrites:
            self.isOver = true
            self.link.write(bytes)
            self.link.closeAfterWrites(within: .seconds(1))
        }
    }

    func linkReadCompleted() { expect(!self.isOver, "a read was completed after the end") }

    func linkWritabilityChanged(_ isWritable: Bool) {}

    func linkClosed(_ error: TransportError?) {
        expect(!self.isClosed, "the link was closed twice")
        self.isOver = true
        self.isClosed = true
        self.failure = error
    }
}

@available(*, unavailable)
extension Owner: Sendable {}

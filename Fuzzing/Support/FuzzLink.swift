import CurlewTransport
import NIOCore

@testable import CurlewBroker

/// Observes a link from outside the broker.
protocol FuzzLinkWitness: AnyObject {
    /// The broker is about to read these bytes.
    func brokerWillRead(_ bytes: ByteBuffer)

    /// The broker has written these bytes.
    func brokerWrote(_ bytes: ByteBuffer)

    /// The broker has closed the link.
    func brokerClosed()
}

/// The broker's end of a connection, whose other end is the fuzzer.
final class FuzzLink: Link, @unchecked Sendable {
    // Used on a single thread.
    let eventLoop: any EventLoop
    let peer = "fuzz"
    let isLocal = true
    let unsentBytes = 0
    weak var witness: (any FuzzLinkWitness)?
    private(set) var isClosed = false
    private(set) var isWritable = true
    private var owner: BrokerConnection?
    private var isReading = true
    private var unread: [ByteBuffer] = []

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// Gives the link to the broker.
    func open(for connection: BrokerConnection) {
        self.owner = connection
        connection.open()
    }

    // MARK: The other end

    /// Receives bytes, which the broker gets as soon as it reads.
    func receive(_ bytes: ByteBuffer) {
        self.unread.append(bytes)
        self.read()
    }

    func setWritable(_ isOn: Bool) {
        guard self.isWritable != isOn, !self.isClosed else { return }
        self.isWritable = isOn
        self.owner?.linkWritabilityChanged(isOn)
    }

    /// Loses the connection and all bytes that have not been read.
    func lose() {
        guard !self.isClosed else { return }
        self.isClosed = true
        self.eventLoop.execute {
            self.owner?.linkClosed(nil)
            self.owner = nil
        }
    }

    private func read() {
        while self.isReading, !self.isClosed, !self.unread.isEmpty {
            let bytes = self.unread.removeFirst()
            self.witness?.brokerWillRead(bytes)
            if bytes.readableBytes > 0 { self.owner?.linkRead(bytes) }
            self.owner?.linkReadCompleted()
        }
    }

    // MARK: The broker's end

    func write(_ bytes: ByteBuffer) {
        guard !self.isClosed else { return }
        self.witness?.brokerWrote(bytes)
    }

    func setReading(_ isOn: Bool) {
        self.isReading = isOn
        if isOn { self.eventLoop.execute { self.read() } }
    }

    func closeAfterWrites(within limit: Duration) { self.close() }

    func close() {
        guard !self.isClosed else { return }
        self.lose()
        self.witness?.brokerClosed()
    }
}

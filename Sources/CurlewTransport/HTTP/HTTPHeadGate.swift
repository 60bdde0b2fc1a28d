import NIOCore

/// Lets the head of one HTTP message pass to the handlers of a handshake, after the heads of interim responses, and holds
/// what follows until it is known whose bytes these are.
///
/// The parser of HTTP never sees bytes of another protocol, and the head has a bound that includes every byte of it.
final class HTTPHeadGate: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// Why no head passes.
    enum Failure: Error {
        /// The head is longer than permitted.
        case tooLarge
        /// The message is not one of HTTP.
        case notHTTP
    }

    private enum State {
        case head
        /// The head has passed, and the handlers of the handshake decide what follows it.
        case deciding
        /// What follows waits for the handlers of another protocol.
        case holding
        /// What follows belongs to nobody.
        case discarding
    }

    private let maximumSize: Int
    private let beginning: [UInt8]?
    private var state = State.head
    private var bytes = ByteBuffer()
    /// The size of the heads that have passed.
    private var passed = 0
    private var context: ChannelHandlerContext?

    /// More cannot follow a head in the same moment: the peer waits for an answer.
    private static let mostHeld = 256 << 10

    /// The first bytes of the message, for recognising other protocols.
    private(set) var firstBytes = ByteBuffer()

    /// The bytes that wait for the end of the head, or for what comes after the handshake.
    var heldBytes: Int { self.bytes.readableBytes }

    /// - Parameters:
    ///   - maximumSize: Of the head, in bytes.
    ///   - beginning: How every head begins; `nil` if any letter may come first.
    init(maximumSize: Int, beginning: String? = nil) {
        self.maximumSize = maximumSize
        self.beginning = beginning.map { Array($0.utf8) }
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var received = self.unwrapInboundIn(data)
        let missing = 64 - self.firstBytes.readableBytes
        if missing > 0 { self.firstBytes.writeBytes(received.readableBytesView.prefix(missing)) }
        switch self.state {
        case .head:
            let searched = max(0, self.bytes.readableBytes - 3)
            self.bytes.writeBuffer(&received)
            self.passHeads(context, searchingFrom: searched)
        case .deciding, .holding:
            self.bytes.writeBuffer(&received)
            if self.bytes.readableBytes > Self.mostHeld { self.fail(.tooLarge, context) }
        case .discarding: break
        }
    }

    private func passHeads(_ context: ChannelHandlerContext, searchingFrom start: Int) {
        var start = start
        while self.state == .head {
            guard self.mayBeHTTP else { return self.fail(.notHTTP, context) }
            let view = self.bytes.readableBytesView
            let end = Self.endOfHead(view, from: view.startIndex + start)
            let size = (end ?? view.endIndex) - view.startIndex
            guard self.passed + size <= self.maximumSize else { return self.fail(.tooLarge, context) }
            guard end != nil, let head = self.bytes.readSlice(length: size) else { return }
            self.passed += size
            self.state = .deciding
            context.fireChannelRead(self.wrapInboundOut(head))
            context.fireChannelReadComplete()
            // The parser waits for more, although the head is complete: HTTP/2, for example.
            if self.state == .deciding { self.fail(.notHTTP, context) }
            start = 0
        }
    }

    private func fail(_ failure: Failure, _ context: ChannelHandlerContext) {
        self.discard()
        context.fireErrorCaught(failure)
    }

    /// The index after an empty line; `nil` if there is none.
    private static func endOfHead(_ bytes: ByteBufferView, from start: Int) -> Int? {
        var rest = bytes[start...]
        while let index = rest.firstIndex(of: UInt8(ascii: "\r")) {
            rest = rest[index...]
            if rest.starts(with: [0x0D, 0x0A, 0x0D, 0x0A]) { return index + 4 }
            rest = rest.dropFirst()
        }
        return nil
    }

    /// Whether the bytes can be the beginning of a head. What cannot be is recognised by its first byte.
    private var mayBeHTTP: Bool {
        let start = self.bytes.readableBytesView
        if let beginning { return start.starts(with: beginning.prefix(start.count)) }
        return start.first.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) } ?? true
    }

    // MARK: What the handlers of the handshake decide

    /// The head was only an interim response: another one follows.
    func passNext() { self.state = .head }

    /// The head ends the handshake: what follows waits for ``release()``.
    func hold() { self.state = .holding }

    /// Nobody gets what follows.
    func discard() {
        self.state = .discarding
        self.bytes = ByteBuffer()
    }

    /// What follows belongs to the handlers that come now. The gate leaves.
    func release() {
        guard let context = self.context else { return }
        let bytes = exchange(&self.bytes, with: ByteBuffer())
        if bytes.readableBytes > 0 {
            context.fireChannelRead(self.wrapInboundOut(bytes))
            context.fireChannelReadComplete()
        }
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }
}

@available(*, unavailable)
extension HTTPHeadGate: Sendable {}

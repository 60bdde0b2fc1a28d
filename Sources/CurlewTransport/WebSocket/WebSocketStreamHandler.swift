import CurlewCore
import NIOCore
import NIOWebSocket

/// The WebSocket of a link: turns frames into a stream of bytes, and bytes into binary frames [MQTT-6.0.0-1].
final class WebSocketStreamHandler: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = WebSocketFrame

    /// The stream is open: what is read and written from now on is MQTT.
    struct Opened: Sendable {}

    private let peer: String
    private let role: WebSocketReading.Role
    private var reading: WebSocketReading
    private var isCloseSent = false
    private var isClosing = false
    private var isPeerClosed = false
    /// The data of the latest ping, until it is answered.
    private var ping: ByteBuffer?
    /// Whether the last pong has not left yet.
    private var isPongOnItsWay = false

    /// A larger write becomes several frames: a peer can work on the first ones while the others are on their way. A
    /// frame larger than what a peer reads at once would make both wait for each other.
    private static let largestSentFrame = 16 << 10

    init(peer: String, role: WebSocketReading.Role) {
        self.peer = peer
        self.role = role
        self.reading = WebSocketReading(role)
    }

    func handlerAdded(context: ChannelHandlerContext) { context.fireUserInboundEventTriggered(Opened()) }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var frame = self.unwrapInboundIn(data)
        let header = WebSocketReading.Frame(
            opcode: frame.opcode, isFinal: frame.fin, isMasked: frame.maskKey != nil,
            hasReservedBits: frame.rsv1 || frame.rsv2 || frame.rsv3)
        switch self.reading.received(header) {
        case .data:
            let bytes = Self.takeData(&frame)
            if bytes.readableBytes > 0 { context.fireChannelRead(self.wrapInboundOut(bytes)) }
        case .ping: self.ping = Self.takeData(&frame)
        case .close: self.peerCloses(Self.takeData(&frame), context)
        case .ignore: break
        case .violation(let violation):
            self.fail(
                TransportError(.connectionLost, "\(self.peer) \(violation.description)."), violation.closeCode, context)
        }
    }

    private static func takeData(_ frame: inout WebSocketFrame) -> ByteBuffer {
        let key = frame.maskKey
        var data = exchange(&frame.data, with: ByteBuffer())
        if let key { data.webSocketUnmask(key) }
        return data
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.answerPing(context)
        context.fireChannelReadComplete()
    }

    /// Only the latest ping needs an answer (RFC 6455 section 5.5.3): a peer that sends many, or takes no answers,
    /// cannot make us collect them.
    private func answerPing(_ context: ChannelHandlerContext) {
        guard let ping, !self.isPongOnItsWay, !self.isCloseSent else { return }
        self.ping = nil
        self.isPongOnItsWay = true
        let handler = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.whenComplete { _ in
            handler.value.0.isPongOnItsWay = false
            handler.value.0.answerPing(handler.value.1)
        }
        context.writeAndFlush(self.frame(.pong, ping), promise: sent)
    }

    private func peerCloses(_ data: ByteBuffer, _ context: ChannelHandlerContext) {
        let closing = WebSocketClosing(data)
        if let reason = closing.reason(of: self.peer) {
            context.fireErrorCaught(TransportError(.connectionLost, reason))
        }
        self.isPeerClosed = true
        self.sendClose(closing.answer, context)
        self.closeSoon(context)
    }

    /// The decoder of frames cannot go on, or the connection breaks.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A peer that has closed the WebSocket may not wait for the answer.
        guard !self.isPeerClosed, !self.isClosing else { return }
        guard let error = error as? NIOWebSocketError else { return context.fireErrorCaught(error) }
        let isTooLarge = error == .invalidFrameLength
        let what = isTooLarge ? "a WebSocket frame that is too large" : "a malformed WebSocket frame"
        self.fail(
            TransportError(.connectionLost, "\(self.peer) sent \(what).", cause: error),
            isTooLarge ? .messageTooLarge : .protocolError, context)
    }

    private func fail(_ error: TransportError, _ code: WebSocketErrorCode, _ context: ChannelHandlerContext) {
        context.fireErrorCaught(error)
        self.sendClose(code, context)
        self.closeSoon(context)
    }

    // MARK: Writing

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !self.isCloseSent else {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        var bytes = self.unwrapOutboundIn(data)
        while let part = bytes.readableBytes > Self.largestSentFrame
            ? bytes.readSlice(length: Self.largestSentFrame) : nil
        {
            context.write(self.frame(.binary, part), promise: nil)
        }
        context.write(self.frame(.binary, bytes), promise: promise)
    }

    private func frame(_ opcode: WebSocketOpcode, _ data: ByteBuffer) -> NIOAny {
        self.wrapOutboundOut(
            WebSocketFrame(
                fin: true, opcode: opcode, maskKey: self.role == .client ? .random() : nil, data: data))
    }

    // MARK: The end

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode != .input { self.sendClose(.normalClosure, context) }
        context.close(mode: mode, promise: promise)
    }

    private func sendClose(_ code: WebSocketErrorCode, _ context: ChannelHandlerContext) {
        guard !self.isCloseSent else { return }
        self.isCloseSent = true
        var data = context.channel.allocator.buffer(capacity: 2)
        data.write(webSocketErrorCode: code)
        context.writeAndFlush(self.frame(.connectionClose, data), promise: nil)
    }

    /// Closes the connection once the close frame has left, and after two seconds even if the peer does not read it.
    private func closeSoon(_ context: ChannelHandlerContext) {
        guard !self.isClosing else { return }
        self.isClosing = true
        let channel = context.channel
        context.close(mode: .output, promise: nil)
        let deadline = context.eventLoop.scheduleTask(in: TimeAmount(Self.closingTime)) { channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in deadline.cancel() }
    }

    private static let closingTime = Duration.seconds(2)
}

@available(*, unavailable)
extension WebSocketStreamHandler: Sendable {}

/// How a peer closes a WebSocket (RFC 6455 section 5.5.1).
struct WebSocketClosing {
    private let code: WebSocketErrorCode?
    private let text: String

    /// - Parameter data: Of the close frame.
    init(_ data: ByteBuffer) {
        var data = data
        self.code = data.readWebSocketErrorCode()
        self.text = String(buffer: data)
    }

    /// The code to answer with.
    var answer: WebSocketErrorCode {
        switch self.code {
        case .unknown?: .protocolError
        case let code?: code
        case nil: .normalClosure
        }
    }

    /// Why the peer closes; `nil` if it just ends the connection.
    func reason(of peer: String) -> String? {
        guard let code, code != .normalClosure, code != .goingAway else { return nil }
        let number = UInt16(webSocketErrorCode: code)
        let text = self.text.isEmpty ? "" : ": \(self.text.printable)"
        return "\(peer) closed the WebSocket with code \(number)\(text)."
    }
}

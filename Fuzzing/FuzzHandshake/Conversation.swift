import NIOCore

@testable import CurlewTransport

/// What is tested: an end of a connection, what a peer may do to it, and how it may react.
protocol Role {
    /// Which frames the end sends; `nil` if it opens no WebSocket.
    var frames: WebSocketReading.Role? { get }
    var behavior: Owner.Behavior { get }
    /// The most bytes that the handlers may hold.
    var mostHeld: Int { get }
    /// Whether the end is a listener, which waits only for a limited time.
    var isListener: Bool { get }

    /// Adds the handlers, and connects.
    func begin(_ end: EndUnderTest) throws

    /// Valid bytes before those of the input, so that the latter reach what comes next.
    func opening(for end: EndUnderTest) throws -> ByteBuffer

    /// Whether a handshake must have an end after these bytes.
    func mustDecide(after bytes: ByteBufferView) -> Bool

    /// The size of the peer's part of a successful handshake at the beginning of these bytes; `nil` if it is not
    /// complete or fails.
    func sizeOfHandshake(in bytes: ByteBufferView) -> Int?
}

/// Everything that one end does with an input.
struct Conversation<Tested: Role> {
    /// What must not depend on how the bytes are cut.
    struct Result: Equatable {
        /// What was sent before the link was open.
        var handshake: String
        /// The frames that were sent, without pongs.
        var frames: [SentFrame]
        /// What was sent without a WebSocket.
        var rest: ByteBuffer
        var delivered: ByteBuffer
        var peer: String?
        var isOutputClosed: Bool
        var isClosed: Bool
        var refusals: [String]
        var failures: [TransportError.Code?]
    }

    private let role: Tested

    init(_ role: Tested) { self.role = role }

    /// Runs the conversation to its end.
    func run(_ input: ByteBuffer, _ cutting: Cutting) -> (result: Result, pongs: [SentFrame]) {
        do {
            let end = try EndUnderTest(self.role.behavior)
            try self.role.begin(end)
            var bytes = try self.role.opening(for: end)
            bytes.writeImmutableBuffer(input)
            let requestSize = end.wire.sent.readableBytes
            for piece in cutting.pieces(of: bytes) {
                end.receive(piece)
                guard cutting.runsBetween else { continue }
                end.run()
                expect(end.heldBytes <= self.role.mostHeld, "\(end.heldBytes) bytes are held")
            }
            end.run()
            expect(end.heldBytes <= self.role.mostHeld, "\(end.heldBytes) bytes are held at the end")
            if self.role.mustDecide(after: bytes.readableBytesView) {
                expect(end.hasDecided, "the handshake does not end")
            }
            self.checkAmplification(end, received: bytes.readableBytes, requestSize: requestSize)
            let outcome = self.outcome(of: end)
            self.checkDelivery(end, of: bytes.readableBytesView, pongs: outcome.pongs)
            try self.finish(end)
            return outcome
        } catch {
            fatalError("an error has passed the link: \(error)")
        }
    }

    /// The answer of a handshake has a limit of its own. After it, a listener may not send more than it receives; the
    /// frames of a client have masks, so one without data that answers such a frame is three times as long.
    private func checkAmplification(_ end: EndUnderTest, received: Int, requestSize: Int) {
        let most = requestSize + 1024 + (self.role.isListener ? 1 : 3) * received
        expect(end.wire.sent.readableBytes <= most, "\(end.wire.sent.readableBytes) bytes answer \(received)")
    }

    /// Exactly what follows the handshake must have been delivered: all of it, or the data of its frames.
    private func checkDelivery(_ end: EndUnderTest, of bytes: ByteBufferView, pongs: [SentFrame]) {
        guard let owner = end.owner else { return }
        guard let size = self.role.sizeOfHandshake(in: bytes) else { fatalError("a bad handshake was accepted") }
        guard let role = self.role.frames else {
            return expect(owner.delivered == ByteBuffer(bytes.dropFirst(size)), "bytes were lost or added")
        }
        let frames = PeerFrames(bytes.dropFirst(size), to: role)
        expect(frames.pings.contains(inOrder: pongs.map(\.data)), "a pong answers no ping")
        let closesItself = [.close, .closeAfterWrites].contains(self.role.behavior)
        let expected = ByteBuffer(joining: closesItself ? Array(frames.portions.prefix(1)) : frames.portions)
        expect(owner.delivered == expected, "the data of frames were lost or added")
        guard !closesItself || frames.portions.isEmpty else { return }
        expect(end.wire.isOutputClosed == frames.isEnded, "the WebSocket did not end with the frame that ends it")
        // Up to seven bytes of a length can be held besides.
        expect(
            frames.isEnded || (0...7).contains(end.heldBytes - frames.incompleteData),
            "\(end.heldBytes) bytes are counted as held, of \(frames.incompleteData)")
    }

    private func outcome(of end: EndUnderTest) -> (result: Result, pongs: [SentFrame]) {
        var (handshake, rest) = end.sent
        let frames = self.role.frames.map { SentFrame.readAll(from: &rest, by: $0) } ?? []
        let result = Result(
            handshake: handshake.withoutKey, frames: frames.filter { !$0.isPong }, rest: rest,
            delivered: end.owner?.delivered ?? ByteBuffer(),
            peer: end.owner?.link.peer, isOutputClosed: end.wire.isOutputClosed, isClosed: !end.isOpen,
            refusals: end.refusals.map(\.error.message), failures: [end.failure?.code, end.owner?.failure?.code])
        return (result, frames.filter(\.isPong))
    }

    /// The deadlines pass, and the peer leaves.
    private func finish(_ end: EndUnderTest) throws {
        end.wait(.seconds(2))
        if end.owner != nil, end.wire.isOutputClosed {
            expect(!end.isOpen, "a peer that does not close is still connected")
        }
        end.wait(.seconds(8))
        if self.role.isListener, end.owner == nil {
            expect(!end.isOpen, "a client that does not finish its handshake is still connected")
        }
        end.lose()
        expect(end.owner?.isClosed ?? true, "the owner does not know that the link is closed")
        expect(end.owner != nil || self.role.isListener || end.failure != nil, "connecting does not end")
        expect(end.refusals.count <= 1, "a client was refused twice: \(end.refusals)")
        try end.check()
    }
}

extension ByteBuffer {
    init(joining buffers: [ByteBuffer]) {
        self.init()
        for buffer in buffers { self.writeImmutableBuffer(buffer) }
    }

    /// Everything but the key of a WebSocket's request, which is random.
    fileprivate var withoutKey: String {
        String(buffer: self).split(separator: "\r\n").filter { !$0.hasPrefix("Sec-WebSocket-Key:") }
            .joined(separator: "\n")
    }
}

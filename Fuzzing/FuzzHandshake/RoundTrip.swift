import NIOCore

@testable import CurlewTransport

/// The library's client and its listener, connected to each other: what one writes, the other must read.
enum RoundTrip {
    private static let largestSentFrame = 64 << 10

    static func run(_ payload: ByteBuffer, _ settings: UInt8, _ cutting: Cutting) {
        do {
            let client = try EndUnderTest(.listen)
            let listener = try EndUnderTest(.listen)
            try listener.addListenersLink(ListenerWebSocket.side(maximumFrameSize: Self.largestSentFrame))
            try listener.connect()
            try client.connect()
            try client.addClientsLink(ClientWebSocket.side(maximumFrameSize: Self.largestSentFrame))
            var (fromClient, fromListener) = (Direction(client, listener), Direction(listener, client))
            fromClient.transfer(cutting)
            fromListener.transfer(cutting)
            guard let near = client.owner, let far = listener.owner else { fatalError("there is no WebSocket") }

            let portions = Self.portions(of: payload, settings)
            for (index, portion) in portions.enumerated() {
                (index.isMultiple(of: 2) ? near : far).link.write(portion)
            }
            fromClient.transfer(cutting)
            fromListener.transfer(cutting)
            for (owner, remainder) in [(far, 0), (near, 1)] {
                let expected = portions.enumerated().filter { $0.offset % 2 == remainder }.map(\.element)
                expect(owner.delivered == ByteBuffer(joining: expected), "what was read is not what was written")
            }

            // Each end answers the other's close frame, and nobody fails.
            near.link.closeAfterWrites(within: .seconds(5))
            fromClient.transfer(cutting)
            fromListener.transfer(cutting)
            expect(client.wire.isOutputClosed && listener.wire.isOutputClosed, "the WebSocket is still open")
            for end in [client, listener] {
                end.lose()
                expect(end.owner?.isClosed == true && end.owner?.failure == nil, "the close is taken for a failure")
                try end.check()
            }
        } catch {
            fatalError("an error has passed the link: \(error)")
        }
    }

    /// Cuts the payload into portions, and repeats each up to the largest frame or beyond.
    private static func portions(of payload: ByteBuffer, _ settings: UInt8) -> [ByteBuffer] {
        let repetitions = [1, 2, 63, 260][Int(settings & 3)]
        return Cutting(1).pieces(of: payload).prefix(32).map { piece in
            ByteBuffer(joining: Array(repeating: piece, count: repetitions))
        }
    }
}

/// The bytes that one end sends to the other.
private struct Direction {
    private let sender: EndUnderTest
    private let receiver: EndUnderTest
    private var transferred = 0

    init(_ sender: EndUnderTest, _ receiver: EndUnderTest) {
        self.sender = sender
        self.receiver = receiver
    }

    mutating func transfer(_ cutting: Cutting) {
        var bytes = self.sender.wire.sent
        bytes.moveReaderIndex(forwardBy: self.transferred)
        self.transferred += bytes.readableBytes
        for piece in cutting.pieces(of: bytes) {
            self.receiver.receive(piece)
            if cutting.runsBetween { self.receiver.run() }
        }
        self.receiver.run()
    }
}

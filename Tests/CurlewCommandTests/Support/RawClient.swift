#if Tools
import CurlewTransport
import NIOCore

/// Sends bytes to a port and collects the answer.
enum RawClient {
    /// The answer until the server closes the connection.
    static func answer(to bytes: [UInt8], port: Int) async throws -> String {
        let (answers, continuation) = AsyncStream<ByteBuffer>.makeStream()
        let endpoint = Endpoint(host: "127.0.0.1", port: port, security: .plain)
        try await SocketConnector().connect(to: endpoint, on: EventLoops.shared.next()) { link in
            link.write(ByteBuffer(bytes: bytes))
            return Collector(continuation)
        }
        var whole = ""
        for await answer in answers { whole += String(buffer: answer) }
        return whole
    }

    private final class Collector: LinkHandler {
        private let answers: AsyncStream<ByteBuffer>.Continuation

        init(_ answers: AsyncStream<ByteBuffer>.Continuation) { self.answers = answers }

        func linkRead(_ bytes: ByteBuffer) { self.answers.yield(bytes) }
        func linkReadCompleted() {}
        func linkWritabilityChanged(_ isWritable: Bool) {}
        func linkClosed(_ error: TransportError?) { self.answers.finish() }
    }
}
#endif

import Curlew
import CurlewCore
import CurlewTransport
import NIOCore
import Testing

/// A link that reads during a write, as a socket does when its peer has reset the connection.
private final class ReentrantLink: Link {
    let eventLoop: any EventLoop
    let peer = "reentrant.test"
    let isWritable = true
    let unsentBytes = 0
    private let handler: NIOLoopBoundBox<(any LinkHandler)?>
    private let whenWritten: @Sendable (ByteBuffer) -> ByteBuffer?

    init(_ eventLoop: any EventLoop, whenWritten: @escaping @Sendable (ByteBuffer) -> ByteBuffer?) {
        self.eventLoop = eventLoop
        self.handler = NIOLoopBoundBox(nil, eventLoop: eventLoop)
        self.whenWritten = whenWritten
    }

    func write(_ bytes: ByteBuffer) {
        if let answer = self.whenWritten(bytes) { self.handler.value?.linkRead(answer) }
    }
    func setReading(_ isOn: Bool) {}
    func closeAfterWrites(within limit: Duration) { self.close() }
    func close() {
        self.eventLoop.execute {
            let handler = self.handler.value
            self.handler.value = nil
            handler?.linkClosed(nil)
        }
    }
    func open(_ handler: any LinkHandler, _ bytes: ByteBuffer) {
        self.handler.value = handler
        handler.linkRead(bytes)
        handler.linkReadCompleted()
    }
}

private struct ReentrantConnector: Connector {
    /// What the server sends when the link opens, and what it sends during a write.
    let first: ByteBuffer
    let whenWritten: @Sendable (ByteBuffer) -> ByteBuffer?

    func connect(
        to endpoint: Endpoint, on eventLoop: any EventLoop, handler: @escaping @Sendable (any Link) -> any LinkHandler
    ) async throws(TransportError) {
        eventLoop.execute {
            let link = ReentrantLink(eventLoop, whenWritten: self.whenWritten)
            link.open(handler(link), self.first)
        }
    }
}

@Suite("Reading during a write", .bounded)
struct ReentrantReadTests {
    @Test("What is read during a write is processed after the packets at hand")
    func order() async throws {
        var first = ByteBuffer()
        try Packet.connack(ConnAck()).encode(into: &first, version: .v5_0)
        try Packet.publish(Publish("1", "a", id: 1)).encode(into: &first, version: .v5_0)
        var second = ByteBuffer()
        try Packet.publish(Publish("2", "a")).encode(into: &second, version: .v5_0)

        var configuration = MQTTConfiguration()
        configuration.connectorOverride = ReentrantConnector(first: first) { [second] written in
            // The client's first PUBLISH: written while CONNACK is handled, before the rest of that read.
            String(buffer: written).contains("early") ? second : nil
        }
        let client = try MQTTClient(configuration)
        let messages = try client.messages(matching: ["a"], acknowledgement: .onReceipt)
        try client.enqueue("early", to: "b")
        try await client.connect()
        var iterator = messages.makeAsyncIterator()
        #expect(try await iterator.next()?.text == "1")
        #expect(try await iterator.next()?.text == "2")
        #expect(client.statistics.reconnections == 0)
        await client.disconnect()
    }
}

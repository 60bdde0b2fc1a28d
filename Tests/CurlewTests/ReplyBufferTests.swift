import CurlewCore
import NIOCore
import Testing

@testable import Curlew

@Suite("Reply buffer")
struct ReplyBufferTests {
    private func reply(_ size: Int) throws -> MQTTMessage {
        MQTTMessage(topic: try TopicName("t"), payload: ByteBuffer(repeating: 0x78, count: size))
    }

    @Test("The number of unread replies and their bytes are limited")
    func bounds() throws {
        let count = ReplyBuffer(wanted: nil, bound: (2, .max))
        #expect(count.receive(try self.reply(1)) == .taken)
        #expect(count.receive(try self.reply(1)) == .taken)
        #expect(count.receive(try self.reply(1)) == .dropped)

        let bytes = ReplyBuffer(wanted: nil, bound: (100, 10_000))
        #expect(bytes.receive(try self.reply(6000)) == .taken)
        #expect(bytes.receive(try self.reply(6000)) == .dropped)
    }

    @Test("Reading makes room, and a reply larger than the limit is taken if the buffer is empty")
    func room() async throws {
        let buffer = ReplyBuffer(wanted: nil, bound: (100, 10_000))
        #expect(buffer.receive(try self.reply(20_000)) == .taken)
        #expect(buffer.receive(try self.reply(1)) == .dropped)
        #expect(try await buffer.next()?.payload.readableBytes == 20_000)
        #expect(buffer.receive(try self.reply(1)) == .taken)
    }

    @Test("The last reply wanted ends the sequence")
    func last() async throws {
        let buffer = ReplyBuffer(wanted: 1, bound: (1, .max))
        #expect(buffer.receive(try self.reply(1)) == .last)
        #expect(buffer.receive(try self.reply(1)) == .dropped)
        #expect(try await buffer.next() != nil)
        #expect(try await buffer.next() == nil)
    }

    @Test("Several tasks may wait for replies", .timeLimit(.minutes(1)))
    func manyReaders() async throws {
        let buffer = ReplyBuffer(wanted: 10, bound: (10, .max))
        let reply = try self.reply(1)
        let total = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<5 {
                group.addTask {
                    var count = 0
                    while try await buffer.next() != nil { count += 1 }
                    return count
                }
            }
            for _ in 0..<10 {
                _ = buffer.receive(reply)
                await Task.yield()
            }
            return try await group.reduce(0, +)
        }
        #expect(total == 10)
    }
}

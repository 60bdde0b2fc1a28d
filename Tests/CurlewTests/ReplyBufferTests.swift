import CurlewCore
import NIOCore
import Testing

@testable import Curlew

@Suite("Replies that wait to be read")
struct ReplyBufferTests {
    private func reply(_ size: Int) throws -> MQTTMessage {
        MQTTMessage(topic: try TopicName("t"), payload: ByteBuffer(repeating: 0x78, count: size))
    }

    @Test("There are no more of them, and no more bytes, than may be")
    func bounds() throws {
        let count = ReplyBuffer(wanted: nil, bound: (2, .max))
        #expect(count.receive(try self.reply(1)) == .taken)
        #expect(count.receive(try self.reply(1)) == .taken)
        #expect(count.receive(try self.reply(1)) == .dropped)

        let bytes = ReplyBuffer(wanted: nil, bound: (100, 10_000))
        #expect(bytes.receive(try self.reply(6000)) == .taken)
        #expect(bytes.receive(try self.reply(6000)) == .dropped)
    }

    @Test("What was read makes room, and one that is larger than all may be is taken alone")
    func room() async throws {
        let buffer = ReplyBuffer(wanted: nil, bound: (100, 10_000))
        #expect(buffer.receive(try self.reply(20_000)) == .taken)
        #expect(buffer.receive(try self.reply(1)) == .dropped)
        #expect(try await buffer.next()?.payload.readableBytes == 20_000)
        #expect(buffer.receive(try self.reply(1)) == .taken)
    }

    @Test("The last that is wanted ends it")
    func last() async throws {
        let buffer = ReplyBuffer(wanted: 1, bound: (1, .max))
        #expect(buffer.receive(try self.reply(1)) == .last)
        #expect(buffer.receive(try self.reply(1)) == .dropped)
        #expect(try await buffer.next() != nil)
        #expect(try await buffer.next() == nil)
    }

    @Test("Any number of tasks may wait for them", .timeLimit(.minutes(1)))
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

import CurlewCore
import NIOCore
import Synchronization
import Testing

@testable import CurlewBroker

@Suite("Waiting packets and publishers")
struct WaitingTests {
    private func publish(_ payload: ByteBuffer) -> Packet {
        .publish(
            Publish(topic: TopicName(unchecked: "t"), payload: payload, qos: .atLeastOnce, packetID: PacketID(1)))
    }

    private func first(_ packets: inout WaitingPackets) throws -> ByteBuffer {
        guard case .publish(let publish)? = packets.popFirst() else { throw PeerError.closed }
        return publish.payload
    }

    @Test("A small waiting message does not keep its whole read buffer alive")
    func smallPayload() throws {
        var read = ByteBuffer(repeating: 7, count: 32 << 10)
        var packets = WaitingPackets()
        for _ in 0..<10 {
            let byte = read.readSlice(length: 1)
            packets.append(self.publish(try #require(byte)), size: 8)
        }
        #expect((2000..<4000).contains(packets.byteCount))
        let payload = try self.first(&packets)
        #expect(payload == ByteBuffer(repeating: 7, count: 1))
        #expect(payload.storageCapacity < 1024)
        while packets.popFirst() != nil {}
        #expect(packets.byteCount == 0)
    }

    @Test("A large waiting message counts as much memory as the read buffer that it keeps alive")
    func largePayload() throws {
        var read = ByteBuffer(repeating: 7, count: 32 << 10)
        let capacity = read.storageCapacity
        var packets = WaitingPackets()
        let payload = read.readSlice(length: 20 << 10)
        packets.append(self.publish(try #require(payload)), size: 20 << 10)
        #expect(packets.byteCount >= capacity)
        #expect(try self.first(&packets).readableBytes == 20 << 10)
        #expect(packets.byteCount == 0)
    }

    private final class Publisher: HeldPublisher {
        let isGone = Atomic<Bool>(false)

        let isProgram = false
        var hasGone: Bool { self.isGone.load(ordering: .relaxed) }

        func released(by holder: ObjectIdentifier) {}
    }

    @Test("Publishers that leave do not accumulate, and those that stay keep their places")
    func gone() {
        var waiting = WaitingPublishers()
        let staying = (0..<10).map { _ in Publisher() }
        for publisher in staying { waiting.add(publisher) }
        for _ in 0..<10_000 {
            let publisher = Publisher()
            waiting.add(publisher)
            publisher.isGone.store(true, ordering: .relaxed)
        }
        #expect(waiting.count <= 64)
        for publisher in staying { waiting.add(publisher) }
        let first = waiting.take(10)
        #expect(first.map { ObjectIdentifier($0) } == staying.map { ObjectIdentifier($0) })
    }
}

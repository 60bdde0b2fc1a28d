import NIOCore
import Testing

@testable import CurlewCore

@Suite("Writing PUBLISH")
struct PublishWriterTests {
    private func packet(_ payload: Int = 10, dup: Bool = false) -> Publish {
        Publish(
            topic: "sensors/kitchen", payload: ByteBuffer(repeating: 0, count: payload), qos: .atLeastOnce, dup: dup,
            packetID: id(1))
    }

    private func alias(_ writer: inout PublishWriter, _ packet: Publish) throws -> UInt16? {
        var packet = packet
        var out = ByteBuffer()
        try writer.write(&packet, into: &out)
        return packet.topicAlias
    }

    @Test("A packet larger than Maximum Packet Size is not written [MQTT-3.1.2-24] [MQTT-3.2.2-15]")
    func maximumPacketSize() throws {
        let size = try self.packet().encodedSize(version: .v5_0)
        var writer = PublishWriter(version: .v5_0, maximumPacketSize: UInt32(size), topicAliasMaximum: 0)
        var out = ByteBuffer()
        var packets = [self.packet(), self.packet(11)]
        try writer.write(&packets[0], into: &out)
        #expect(throws: Rejection.packetTooLarge(size: size + 1, maximum: UInt32(size))) {
            try writer.write(&packets[1], into: &out)
        }
        #expect(out.readableBytes == size)
    }

    @Test("A topic that is used again gets an alias, which replaces it from then on")
    func aliases() throws {
        var writer = PublishWriter(version: .v5_0, maximumPacketSize: nil, topicAliasMaximum: 1)
        #expect(try self.alias(&writer, self.packet()) == nil)
        #expect(try self.alias(&writer, self.packet()) == 1)
        var packet = self.packet()
        var out = ByteBuffer()
        try writer.write(&packet, into: &out)
        #expect(packet.topicAlias == 1 && packet.topic == nil)
    }

    @Test("A resent packet gets no alias, nor does one that the alias would make too large")
    func noAlias() throws {
        let size = try self.packet().encodedSize(version: .v5_0)
        var writer = PublishWriter(version: .v5_0, maximumPacketSize: UInt32(size + 4), topicAliasMaximum: 1)
        for _ in 0..<4 { #expect(try self.alias(&writer, self.packet()) == nil) }
        for _ in 0..<4 { #expect(try self.alias(&writer, self.packet(5, dup: true)) == nil) }
        _ = try self.alias(&writer, self.packet(5))
        #expect(try self.alias(&writer, self.packet(5)) == 1)
    }

    @Test("An alias is not used if the packet that introduced it was not written")
    func failedIntroduction() throws {
        var writer = PublishWriter(version: .v5_0, maximumPacketSize: nil, topicAliasMaximum: 1)
        #expect(try self.alias(&writer, self.packet()) == nil)
        var invalid = self.packet()
        invalid.properties = Properties([.responseTopic("with/#/wildcard")])
        var out = ByteBuffer()
        #expect(throws: Rejection.self) { try writer.write(&invalid, into: &out) }
        #expect(out.readableBytes == 0)
        var packet = self.packet()
        try writer.write(&packet, into: &out)
        #expect(packet.topic != nil)
    }

    @Test(
        "The expiry interval is reduced by the waiting time, to no less than 1 [MQTT-3.3.2-6]",
        arguments: [(10, 3, 7), (10, 12, 1), (0, 5, 0)] as [(UInt32, Int64, UInt32)])
    func expiry(interval: UInt32, waited: Int64, left: UInt32) {
        var packet = self.packet()
        packet.properties.messageExpiryInterval = interval
        packet.countDownExpiry(to: .start + .seconds(Int64(interval)), now: .start + .seconds(waited))
        #expect(packet.properties.messageExpiryInterval == left)
    }
}

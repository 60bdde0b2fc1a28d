import NIOCore
import Testing

@testable import CurlewCore

@Suite("Skipping packets that are too large")
struct SkippingTests {
    private static let limit: UInt32 = 100

    private func makeInput(_ version: ProtocolVersion) -> PacketInput {
        PacketInput(
            PacketDecoder(from: .server, version: version, maximumPacketSize: Self.limit, leavingOut: .bytes))
    }

    private func bytes(_ packets: [Packet], _ version: ProtocolVersion) throws -> ByteBuffer {
        var buffer = ByteBuffer()
        for packet in packets { try packet.encode(into: &buffer, version: version) }
        return buffer
    }

    /// The result in order: payloads, and the topic and size of each skipped packet.
    private func read(_ buffer: ByteBuffer, in pieces: Int, _ input: inout PacketInput) throws -> [String] {
        var (buffer, result) = (buffer, [String]())
        while buffer.readableBytes > 0, let piece = buffer.readSlice(length: min(pieces, buffer.readableBytes)) {
            input.append(piece)
            repeat {
                while let packet = try input.next() {
                    guard case .publish(let publish) = packet else { continue }
                    result.append(String(buffer: publish.payload))
                }
                guard let skipped = input.takeSkipped() else { break }
                #expect(skipped.publish.payload.readableBytes == 0)
                result.append("\(skipped.publish.topic.map(\.string) ?? "-") \(skipped.size)")
            } while true
            #expect(input.waiting <= Int(Self.limit), "more is held than the limit")
        }
        return result
    }

    @Test(
        "A too large PUBLISH is skipped as it streams in, and the packets around it are decoded",
        arguments: ProtocolVersion.allCases, [1, 7, 64, 100_000])
    func streams(version: ProtocolVersion, pieces: Int) throws {
        let payload = String(repeating: "x", count: 20_000)
        let large = [
            Publish.incoming(payload, "t/0"), .incoming(payload, "t/1", .atLeastOnce, 1),
            .incoming(payload, "t/2", .exactlyOnce, 2),
        ]
        var packets = [Packet.publish(.incoming("before"))]
        for packet in large { packets += [.publish(packet), .publish(.incoming("\(packet.qos.rawValue)")), .pingresp] }
        var input = self.makeInput(version)
        let sizes = try large.map { try $0.encodedSize(version: version) }
        #expect(
            try self.read(self.bytes(packets, version), in: pieces, &input)
                == ["before", "t/0 \(sizes[0])", "0", "t/1 \(sizes[1])", "1", "t/2 \(sizes[2])", "2"])
        #expect(input.waiting == 0)
    }

    @Test("Properties and topic alias of a skipped packet are known", arguments: [1, 1000])
    func properties(pieces: Int) throws {
        let packet = Publish.incoming(
            String(repeating: "x", count: 200), nil, .atLeastOnce, 9, alias: 3, identifiers: [5])
        var input = self.makeInput(.v5_0)
        var buffer = try self.bytes([.publish(packet)], .v5_0)
        var skipped: PacketDecoder.SkippedPublish?
        while skipped == nil, let piece = buffer.readSlice(length: min(pieces, buffer.readableBytes)) {
            input.append(piece)
            #expect(try input.next() == nil)
            skipped = input.takeSkipped()
        }
        let publish = try #require(skipped).publish
        #expect(publish.topic == nil && publish.topicAlias == 3 && publish.packetID == id(9))
        #expect(publish.properties.subscriptionIdentifiers == [5])
    }

    @Test("A packet that is too large even without its payload is refused, and so is any packet other than PUBLISH")
    func refused() throws {
        let large = Publish.incoming("", TopicName(unchecked: String(repeating: "t", count: 60_000)))
        var packet = try self.bytes([.publish(large)], .v5_0)
        var decoder = PacketDecoder(
            from: .server, version: .v5_0, maximumPacketSize: Self.limit, leavingOut: .bytes)
        #expect(try decoder.decode(from: &packet) == nil)
        #expect(decoder.takeSkipped()?.size == 60_007)
        var properties = large
        properties.properties = Properties(
            (0..<3).map { _ in .userProperty(UserProperty("n", String(repeating: "v", count: 50_000))) })
        packet = try self.bytes([.publish(properties)], .v5_0)
        #expect(throws: DecodingError.self) { try decoder.decode(from: &packet) }
        var other = ByteBuffer(bytes: [0x90, 0xFF, 0x01])
        decoder = PacketDecoder(
            from: .server, version: .v5_0, maximumPacketSize: Self.limit, leavingOut: .bytes)
        #expect(throws: DecodingError.packetTooLarge(size: 258, maximum: 100)) { try decoder.decode(from: &other) }
    }

    @Test(
        "A PUBLISH that is malformed before its payload is refused, however large it is",
        arguments: [
            ([0x36, 0xFF, 0x01, 0, 1, 0x61, 0, 1], .qos), ([0x30, 0xFF, 0x01, 0, 1, 0x23], .topicName(.publish)),
            ([0x30, 0xFF, 0x01, 0xFF, 0xFF, 0x61], .truncated(.publish)),
            ([0x32, 0xFF, 0x01, 0, 1, 0x61, 0, 0], .packetIDZero(.publish)),
        ] as [([UInt8], DecodingError)])
    func broken(bytes: [UInt8], error: DecodingError) {
        var buffer = ByteBuffer(bytes: bytes)
        var decoder = PacketDecoder(
            from: .server, version: .v3_1_1, maximumPacketSize: Self.limit, leavingOut: .bytes)
        #expect(throws: error) { try decoder.decode(from: &buffer) }
    }

    @Test("The topic of a refused packet is known if it has arrived")
    func topicOfRefused() throws {
        var input = PacketInput(PacketDecoder(from: .server, version: .v5_0, maximumPacketSize: Self.limit))
        input.append(ByteBuffer(bytes: [0x30, 0xFF, 0x01]))
        #expect(throws: DecodingError.packetTooLarge(size: 258, maximum: 100)) { try input.next() }
        #expect(input.refusedTopic == nil)
        input.append(ByteBuffer(bytes: [0, 1, 0x61]))
        #expect(input.refusedTopic == "a")
    }

    @Test(
        "A PUBLISH with too many properties is skipped whatever its size; its alias and first properties are known"
    )
    func manyProperties() throws {
        var packet = Publish.incoming("x", "a", .atLeastOnce, 5, alias: 2)
        packet.properties = Properties((0..<2000).map { .userProperty(UserProperty("n", "\($0)")) })
        var buffer = try self.bytes([.publish(packet), .publish(.incoming("behind"))], .v5_0)
        var decoder = PacketDecoder(
            from: .server, version: .v5_0, maximumPacketSize: 100_000, leavingOut: .properties)
        #expect(try decoder.decode(from: &buffer) == nil)
        let skipped = decoder.takeSkipped()
        #expect(skipped?.excess == .properties && skipped?.publish.topic == "a" && skipped?.publish.topicAlias == 2)
        #expect(skipped?.publish.properties.list.count == Properties.maximumCount)
        #expect(try decoder.decode(from: &buffer) == .publish(.incoming("behind")))
    }

    @Test(
        "A random stream is decoded as without a limit, except for too large packets",
        arguments: ProtocolVersion.allCases)
    func random(version: ProtocolVersion) throws {
        var packets = RandomPackets(seed: 0x51C1, version: version, sender: .server)
        var generator = SplitMix64(seed: 7)
        var input = PacketInput(
            PacketDecoder(from: .server, version: version, maximumPacketSize: 60, leavingOut: .bytes))
        var (expected, received) = ([Packet](), [Packet]())
        while expected.count < 500 {
            let packet = packets.next()
            var bytes = ByteBuffer()
            try packet.encode(into: &bytes, version: version)
            let isLarge = bytes.readableBytes > 60
            if isLarge, packet.type != .publish { continue }
            if !isLarge { expected.append(packet) }
            while bytes.readableBytes > 0,
                let piece = bytes.readSlice(length: .random(in: 1...bytes.readableBytes, using: &generator))
            {
                input.append(piece)
                repeat {
                    while let packet = try input.next() { received.append(packet) }
                } while input.takeSkipped() != nil
            }
        }
        #expect(received == expected)
    }
}

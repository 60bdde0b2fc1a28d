import NIOCore
import Testing

@testable import CurlewCore

extension PropertyIdentifier {
    var mayStandInWill: Bool { self.scope.contains(.will) }

    /// Whether the generator may use the property: aliases are separate, and some properties are sent only by one side.
    func mayStand(in packet: PacketType, from sender: PacketSender) -> Bool {
        guard self.scope.contains(PropertyScope(packet)), self != .topicAlias else { return false }
        switch (self, packet, sender) {
        case (.subscriptionIdentifier, .publish, .client), (.sessionExpiryInterval, .disconnect, .server),
            (.serverReference, .disconnect, .client):
            return false
        default:
            return true
        }
    }
}

@Suite("Properties of the codec")
struct CodecPropertyTests {
    @Test(
        "Every packet is decoded to what was encoded", arguments: ProtocolVersion.allCases,
        PacketSender.allCases
    )
    func roundTrips(version: ProtocolVersion, sender: PacketSender) {
        var packets = RandomPackets(seed: 0xC0DEC, version: version, sender: sender)
        for _ in 0..<1000 { checkRoundTrip(packets.next(), version: version, sender: sender) }
    }

    @Test(
        "A stream of packets is decoded in order, however it is cut", arguments: ProtocolVersion.allCases,
        PacketSender.allCases
    )
    func streams(version: ProtocolVersion, sender: PacketSender) throws {
        var packets = RandomPackets(seed: 0x57_2EA4, version: version, sender: sender)
        var generator = SplitMix64(seed: 1)
        let sent = (0..<300).map { _ in packets.next() }
        var stream = ByteBuffer()
        for packet in sent { try packet.encode(into: &stream, version: version) }

        var decoder = PacketDecoder(from: sender, version: version, maximumPacketSize: 1_000_000)
        var received: [Packet] = []
        var read = ByteBuffer()
        while let part = stream.readSlice(
            length: min(stream.readableBytes, Int.random(in: 1...2000, using: &generator))
        ), part.readableBytes > 0 {
            read.writeImmutableBuffer(part)
            while let packet = try decoder.decode(from: &read) { received.append(packet) }
            if Bool.random(using: &generator) { read.discardReadBytes() }
        }
        #expect(received == sent)
    }

    @Test("Mutated packets do not make the decoder trap", arguments: ProtocolVersion.allCases)
    func mutations(version: ProtocolVersion) {
        var generator = SplitMix64(seed: 0xBAD_B17E5)
        let vectors = Vector.table.filter { $0.versions.contains(version) }
        for vector in vectors {
            for _ in 0..<60 {
                var bytes = vector.bytes
                for _ in 0...Int.random(in: 0...3, using: &generator) { Self.mutate(&bytes, &generator) }
                for sender in vector.senders { exerciseDecoder(bytes, version: version, sender: sender) }
            }
        }
    }

    @Test(
        "Random bytes do not make the decoder trap", arguments: ProtocolVersion.allCases, PacketSender.allCases
    )
    func noise(version: ProtocolVersion, sender: PacketSender) {
        var generator = SplitMix64(seed: 0x0153)
        for _ in 0..<3000 {
            let count = Int.random(in: 0...40, using: &generator)
            var bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            // Without a valid fixed header, hardly any input would get further.
            if count > 1 {
                let type = UInt8.random(in: 1...15, using: &generator)
                bytes[0] = type << 4 | ([6, 8, 10].contains(type) ? 2 : type == 3 ? bytes[0] & 0b0110 : 0)
                bytes[1] = UInt8(count - 2)
            }
            exerciseDecoder(bytes, version: version, sender: sender)
        }
    }

    private static func mutate(_ bytes: inout [UInt8], _ generator: inout SplitMix64) {
        guard !bytes.isEmpty else { return }
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 1: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 2: bytes[index] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &generator) ?? 0
        case 3: bytes.remove(at: index)
        case 4: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: index)
        default:
            // Set the remaining length, so that a change in size gets past the fixed header.
            if bytes.count > 1, bytes.count < 130 { bytes[1] = UInt8(bytes.count - 2) }
        }
    }
}

import CurlewCore
import LibFuzzer
import NIOCore

/// Feeds any bytes to the decoder, in each version, as from a client and as from a server. Nothing may trap. A packet
/// that can be encoded again must decode to the same packet (before 5.0: encode to the same bytes, since old peers may
/// send more than we do). The result must not depend on how the bytes are cut.
@main
enum FuzzDecoder {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments, testOneInput)
    }

    /// The first byte of the input selects version and sender.
    static func run(_ input: UnsafeRawBufferPointer) {
        guard let choice = input.first else { return }
        let version = ProtocolVersion.allCases[Int(choice >> 1) % 3]
        let sender: PacketSender = choice & 1 == 0 ? .client : .server
        let bytes = ByteBuffer(bytes: input.dropFirst())

        let whole = self.decode(bytes, version, sender, pieces: .max)
        let dripped = self.decode(bytes, version, sender, pieces: 7)
        precondition(whole.packets == dripped.packets, "the pieces make a difference")
        precondition(whole.error == dripped.error, "the pieces make a difference to the error")
        for packet in whole.packets { self.roundTrip(packet, whole.version, sender) }
    }

    private static func decode(
        _ bytes: ByteBuffer, _ version: ProtocolVersion, _ sender: PacketSender, pieces: Int
    ) -> (packets: [Packet], error: DecodingError?, version: ProtocolVersion) {
        var decoder = PacketDecoder(from: sender, version: version, maximumPacketSize: 1 << 16)
        var (rest, input, packets) = (bytes, ByteBuffer(), [Packet]())
        repeat {
            if let piece = rest.readSlice(length: min(pieces, rest.readableBytes)) { input.writeImmutableBuffer(piece) }
            do throws(DecodingError) {
                while let packet = try decoder.decode(from: &input) { packets.append(packet) }
            } catch {
                return (packets, error, decoder.version)
            }
        } while rest.readableBytes > 0
        return (packets, nil, decoder.version)
    }

    private static func roundTrip(_ packet: Packet, _ version: ProtocolVersion, _ sender: PacketSender) {
        let version = if case .connect(let connect) = packet { connect.version } else { version }
        var encoded = ByteBuffer()
        do {
            try packet.encode(into: &encoded, version: version)
            let size = try packet.encodedSize(version: version)
            precondition(encoded.readableBytes == size, "the size is wrong")
        } catch {
            return  // something that a peer may send but we do not, such as flags that only old peers set
        }
        var decoder = PacketDecoder(from: sender, version: version, maximumPacketSize: 1 << 28)
        let bytes = encoded
        do {
            guard let again = try decoder.decode(from: &encoded) else { preconditionFailure("a packet without an end") }
            precondition(again == packet || version < .v5_0, "\(packet) became \(again)")
            var twice = ByteBuffer()
            try again.encode(into: &twice, version: version)
            precondition(twice == bytes, "\(packet) is not encoded alike twice")
        } catch {
            preconditionFailure("what was encoded cannot be decoded: \(error)")
        }
    }
}

/// libFuzzer's own main, which is linked but not used, refers to this name.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzDecoder.run(UnsafeRawBufferPointer(start: start, count: count))
    return 0
}

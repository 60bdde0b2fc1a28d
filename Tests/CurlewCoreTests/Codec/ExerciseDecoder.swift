import CurlewCore
import NIOCore
import Testing

/// Feeds bytes to a decoder and checks what must hold for any bytes: nothing traps, every decoded packet can be
/// encoded, and decoding that again gives the same packet.
func exerciseDecoder(_ bytes: [UInt8], version: ProtocolVersion, sender: PacketSender) {
    var decoder = PacketDecoder(from: sender, version: version, maximumPacketSize: 1_000_000)
    var buffer = ByteBuffer(bytes: bytes)
    var before = buffer.readableBytes
    while let packet = try? decoder.decode(from: &buffer) {
        #expect(buffer.readableBytes < before, "a packet has bytes")
        before = buffer.readableBytes
        checkRoundTrip(packet, version: decoder.version, sender: sender)
    }
    var sparing = PacketDecoder(
        from: sender, version: version, maximumPacketSize: 40, leavingOut: [.bytes, .properties])
    buffer = ByteBuffer(bytes: bytes)
    repeat {
        while (try? sparing.decode(from: &buffer)) != nil {}
    } while sparing.takeSkipped() != nil
}

/// Encodes and decodes a packet, which must not change.
func checkRoundTrip(_ packet: Packet, version: ProtocolVersion, sender: PacketSender) {
    var buffer = ByteBuffer()
    do {
        try packet.encode(into: &buffer, version: version)
        #expect(try packet.encodedSize(version: version) == buffer.readableBytes)
        var decoder = PacketDecoder(from: sender, version: version, maximumPacketSize: .max)
        let decoded = try decoder.decode(from: &buffer)
        #expect(decoded == packet.asSent(in: version))
        #expect(buffer.readableBytes == 0)
    } catch is EncodingError {
        #expect(packet.isOnlyReceived, "\(packet)")
    } catch {
        Issue.record("\(packet) is encoded to what is not decoded: \(error)")
    }
}

extension Packet {
    /// A CONNECT before 5.0 with an empty identifier: servers must answer it, but clients must not send it.
    fileprivate var isOnlyReceived: Bool {
        guard case .connect(let connect) = self else { return false }
        return connect.version < .v5_0 && connect.clientIdentifier.isEmpty
    }

    /// MQTT 3.1 has no Session Present to send.
    fileprivate func asSent(in version: ProtocolVersion) -> Packet {
        guard case .connack(var connack) = self, version == .v3_1 else { return self }
        connack.sessionPresent = false
        return .connack(connack)
    }
}

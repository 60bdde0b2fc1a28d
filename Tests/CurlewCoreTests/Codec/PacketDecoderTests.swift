import CurlewCore
import NIOCore
import NIOTestUtils
import Testing

@Suite("Decoding packets")
struct PacketDecoderTests {
    static let maximumPacketSize: UInt32 = 100_000

    private func decoder(_ version: ProtocolVersion, _ sender: PacketSender) -> PacketDecoder {
        PacketDecoder(from: sender, version: version, maximumPacketSize: Self.maximumPacketSize)
    }

    @Test("Bytes that arrive at once are decoded to their meaning", arguments: Vector.table)
    func bulk(_ vector: Vector) throws {
        for (version, sender) in vector.cases {
            var decoder = self.decoder(version, sender)
            var buffer = ByteBuffer(bytes: vector.bytes)
            switch vector.meaning {
            case .packet(let packet), .lenient(let packet):
                #expect(try decoder.decode(from: &buffer) == packet)
                #expect(buffer.readableBytes == 0)
                #expect(try decoder.decode(from: &buffer) == nil)
            case .error(let error):
                #expect(throws: error) { try decoder.decode(from: &buffer) }
                // Everything after an error is meaningless.
                var ping = ByteBuffer(bytes: sender == .client ? [0xC0, 0] : [0xD0, 0])
                #expect(throws: error) { try decoder.decode(from: &ping) }
                #expect(ping.readableBytes == 2)
            }
        }
    }

    @Test("Bytes that arrive one by one are decoded to the same meaning", arguments: Vector.table)
    func drip(_ vector: Vector) throws {
        for (version, sender) in vector.cases {
            var decoder = self.decoder(version, sender)
            var buffer = ByteBuffer()
            var outcome: Vector.Meaning?
            for (index, byte) in vector.bytes.enumerated() where outcome == nil {
                buffer.writeInteger(byte)
                do throws(DecodingError) {
                    guard let packet = try decoder.decode(from: &buffer) else {
                        #expect(buffer.readableBytes == index + 1, "a decoder that waits takes nothing")
                        continue
                    }
                    #expect(index == vector.bytes.count - 1)
                    outcome = .packet(packet)
                } catch {
                    outcome = .error(error)
                }
            }
            switch vector.meaning {
            case .packet(let packet), .lenient(let packet): #expect(outcome == .packet(packet))
            case .error: #expect(outcome == vector.meaning)
            }
        }
    }

    @Test(
        "Packets are the same however the stream is cut",
        arguments: ProtocolVersion.allCases, PacketSender.allCases
    )
    func verifier(version: ProtocolVersion, sender: PacketSender) throws {
        let vectors = Vector.valid.filter { $0.versions.contains(version) && $0.senders.contains(sender) }
        let pairs = vectors.map { (ByteBuffer(bytes: $0.bytes), $0.packet.map { [$0] } ?? []) }
        #expect(!pairs.isEmpty)
        try ByteToMessageDecoderVerifier.verifyDecoder(inputOutputPairs: pairs) {
            ChannelDecoder(decoder: self.decoder(version, sender))
        }
    }

    @Test("Every error has a failure reason code and a message that is a sentence")
    func reasonCodes() {
        for vector in Vector.invalid {
            guard case .error(let error) = vector.meaning else { continue }
            #expect(error.reasonCode.isFailure, "\(vector.name)")
            #expect(error.description.hasSuffix("."), "\(error)")
        }
    }

    // [MQTT-4.13.1-1]
    @Test(
        "Each decoding error has the reason code of the standard",
        arguments: [
            (DecodingError.variableByteInteger, ReasonCode.malformedPacket),
            (.reservedBits(.subscribe), .malformedPacket),
            (.truncated(.publish), .malformedPacket),
            (.text(.publish), .malformedPacket),
            (.topicName(.publish), .malformedPacket),
            (.qos, .malformedPacket),
            (.misplacedProperty(.topicAlias, .connect), .malformedPacket),
            (.repeatedProperty(.reasonString, .connack), .protocolError),
            (.propertyValue(.receiveMaximum, .connect), .protocolError),
            (.propertyValue(.topicAlias, .publish), .topicAliasInvalid),
            (.unexpectedPacket(.pingreq), .protocolError),
            (.packetIDZero(.puback), .protocolError),
            (.noEntries(.subscribe), .protocolError),
            (.reasonCode(0x7F, .puback), .protocolError),
            (.packetTooLarge(size: 2, maximum: 1), .packetTooLarge),
            (.tooManyProperties(.publish), .quotaExceeded),
            (.protocolName, .unsupportedProtocolVersion),
            (.protocolVersion(6), .unsupportedProtocolVersion),
        ]
    )
    func reasonCode(error: DecodingError, code: ReasonCode) {
        #expect(error.reasonCode == code)
    }

    @Test("The number of properties in a packet is limited", arguments: [Properties.maximumCount, 1025])
    func manyProperties(count: Int) throws {
        let packet = Publish.incoming("", "a", identifiers: Array(1...UInt32(count)))
        var buffer = ByteBuffer()
        try packet.encode(into: &buffer, version: .v5_0)
        var decoder = self.decoder(.v5_0, .server)
        if count <= Properties.maximumCount {
            #expect(try decoder.decode(from: &buffer) == .publish(packet))
        } else {
            #expect(throws: DecodingError.tooManyProperties(.publish)) { try decoder.decode(from: &buffer) }
        }
    }

    @Test("A packet of exactly the maximum size is accepted")
    func maximum() throws {
        var decoder = PacketDecoder(from: .server, version: .v3_1_1, maximumPacketSize: 7)
        var buffer = ByteBuffer(bytes: [0x30, 5, 0, 1, 0x61, 1, 2, 0x30, 6])
        #expect(try decoder.decode(from: &buffer) == .publish(Publish(topic: "a", payload: ByteBuffer(bytes: [1, 2]))))
        #expect(throws: DecodingError.packetTooLarge(size: 8, maximum: 7)) { try decoder.decode(from: &buffer) }
    }

    @Test("CONNECT determines the version of the packets after it", arguments: ProtocolVersion.allCases)
    func versionOfConnect(version: ProtocolVersion) throws {
        var buffer = ByteBuffer()
        try Connect(version: version, clientIdentifier: "a").encode(into: &buffer)
        try Packet.puback(Acknowledgement(id(1), reasonCode: .quotaExceeded)).encode(into: &buffer, version: version)
        for initial in ProtocolVersion.allCases {
            var bytes = buffer
            var decoder = self.decoder(initial, .client)
            _ = try decoder.decode(from: &bytes)
            #expect(decoder.version == version)
            let code: ReasonCode = version == .v5_0 ? .quotaExceeded : .success
            #expect(try decoder.decode(from: &bytes) == .puback(Acknowledgement(id(1), reasonCode: code)))
        }
    }

    @Test("A payload shares the memory of the read buffer")
    func payloadIsASlice() throws {
        var buffer = ByteBuffer(bytes: [0x30, 7, 0, 1, 0x61, 1, 2, 3, 4])
        let address = buffer.withUnsafeReadableBytes { $0.baseAddress.map { $0 + 5 } }
        var decoder = self.decoder(.v3_1_1, .client)
        guard case .publish(let publish) = try decoder.decode(from: &buffer) else {
            Issue.record("no PUBLISH")
            return
        }
        #expect(publish.payload.withUnsafeReadableBytes { $0.baseAddress } == address)
    }

    @Test("A packet is decoded the same at any position in a buffer")
    func anywhere() throws {
        for vector in Vector.valid {
            for (version, sender) in vector.cases {
                var buffer = ByteBuffer(repeating: 0xFF, count: 3)
                buffer.moveReaderIndex(forwardBy: 3)
                buffer.writeBytes(vector.bytes)
                buffer.writeBytes([0xFF, 0xFF])
                var decoder = self.decoder(version, sender)
                #expect(try decoder.decode(from: &buffer) == vector.packet, "\(vector.name)")
                #expect(buffer.readableBytes == 2)
            }
        }
    }

    @Test("A packet with a remaining length that is too short is refused without reading beyond it")
    func cutShort() throws {
        for vector in Vector.valid where vector.bytes.count < 128 {
            for count in 0..<vector.bytes.count - 2 {
                var bytes = Array(vector.bytes[..<(2 + count)])
                bytes[1] = UInt8(count)
                for (version, sender) in vector.cases {
                    exerciseDecoder(bytes, version: version, sender: sender)
                }
            }
        }
    }
}

/// The decoder with the interface of NIO's verifier.
private struct ChannelDecoder: ByteToMessageDecoder {
    typealias InboundOut = Packet
    var decoder: PacketDecoder

    mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        guard let packet = try self.decoder.decode(from: &buffer) else { return .needMoreData }
        context.fireChannelRead(Self.wrapInboundOut(packet))
        return .continue
    }

    mutating func decodeLast(
        context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool
    ) throws -> DecodingState {
        try self.decode(context: context, buffer: &buffer)
    }
}

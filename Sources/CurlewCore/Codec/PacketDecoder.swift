package import NIOCore

/// Makes packets of the bytes of a peer, whatever these are: no byte traps, and nothing is kept that is not bounded.
package struct PacketDecoder: Sendable {
    /// Which end of a connection the bytes come from.
    package enum Sender: Sendable, Hashable, CaseIterable {
        case client
        case server
    }

    package let sender: Sender
    /// The version that the packets are read as. A CONNECT sets it to what it asks for.
    package var version: ProtocolVersion
    /// The largest packet taken, from its first byte to its last.
    package let maximumPacketSize: Int

    private var topics = TopicCache()
    private var propertyLists = PropertyCache()
    /// What went wrong: the bytes after it have no meaning.
    private var failure: DecodingError?

    /// What the decoder remembers of earlier packets, roughly, in bytes.
    package var byteCount: Int { self.topics.byteCount + self.propertyLists.byteCount }

    /// Makes a decoder for one connection.
    ///
    /// - Parameter maximumPacketSize: in bytes, header included. A larger packet is refused as soon as its header is
    ///   there, so a caller need never hold more than that many bytes.
    package init(from sender: Sender, version: ProtocolVersion, maximumPacketSize: UInt32) {
        self.sender = sender
        self.version = version
        self.maximumPacketSize = Int(maximumPacketSize)
    }

    /// Takes the next packet out of `buffer`, or returns `nil` and takes nothing when it is not there to its end.
    ///
    /// - Throws: What is wrong with the bytes; from then on, always the same error.
    package mutating func decode(from buffer: inout ByteBuffer) throws(DecodingError) -> Packet? {
        if let failure { throw failure }
        do throws(DecodingError) {
            return try self.next(from: &buffer)
        } catch {
            self.failure = error
            throw error
        }
    }

    @inline(__always)
    private mutating func next(from buffer: inout ByteBuffer) throws(DecodingError) -> Packet? {
        var size = 0
        let packet = try withUnsafePointer(to: buffer) { (buffer) throws(DecodingError) -> Packet? in
            try buffer.pointee.withUnsafeReadableBytes { (bytes) throws(DecodingError) -> Packet? in
                guard let header = try self.header(of: bytes), header.packetSize <= bytes.count else { return nil }
                size = header.packetSize
                var reader = PacketReader(
                    header.packet, flags: header.flags, version: self.version, from: self.sender,
                    UnsafeRawBufferPointer(rebasing: bytes[header.size..<size]), of: buffer,
                    at: buffer.pointee.readerIndex + header.size
                )
                return try self.packet(&reader)
            }
        }
        buffer.moveReaderIndex(forwardBy: size)
        return packet
    }

    // MARK: The fixed header

    private struct FixedHeader {
        var packet: PacketType
        var flags: UInt8
        /// Of the header.
        var size: Int
        /// Of the packet, header included.
        var packetSize: Int
    }

    /// The fixed header, or `nil` when it is not there to its end. What is wrong with it is found at the earliest byte.
    @inline(__always)
    private func header(of bytes: UnsafeRawBufferPointer) throws(DecodingError) -> FixedHeader? {
        guard let first = bytes.first else { return nil }
        guard let packet = PacketType(rawValue: first >> 4), packet != .auth || self.version == .v5_0 else {
            throw .unknownPacketType(first >> 4)
        }
        let flags = first & 0x0F
        guard packet.allows(flags: flags, version: self.version) else { throw .reservedBits(packet) }
        guard packet.isSent(by: self.sender, version: self.version) else { throw .unexpectedPacket(packet) }

        var remaining = VariableByteInteger()
        var size = 1
        while size < bytes.count {
            let length = try remaining.take(bytes[size])
            size += 1
            guard let length else { continue }
            let packetSize = size + Int(length)
            guard packetSize <= self.maximumPacketSize else {
                throw .packetTooLarge(size: packetSize, maximum: self.maximumPacketSize)
            }
            return FixedHeader(packet: packet, flags: flags, size: size, packetSize: packetSize)
        }
        return nil
    }

    // MARK: The rest

    @inline(__always)
    private mutating func packet(_ reader: inout PacketReader) throws(DecodingError) -> Packet {
        switch reader.packet {
        case .publish:
            let publish = try Publish(from: &reader, topics: &self.topics, properties: &self.propertyLists)
            return .publish(consume publish)
        case .puback: return .puback(try Acknowledgement(from: &reader))
        case .pubrec: return .pubrec(try Acknowledgement(from: &reader))
        case .pubrel: return .pubrel(try Acknowledgement(from: &reader))
        case .pubcomp: return .pubcomp(try Acknowledgement(from: &reader))
        case .connect:
            let connect = try Connect(from: &reader)
            self.version = connect.version
            return .connect(connect)
        case .connack: return .connack(try ConnAck(from: &reader))
        case .subscribe: return .subscribe(try Subscribe(from: &reader))
        case .suback: return .suback(try SubAck(from: &reader))
        case .unsubscribe: return .unsubscribe(try Unsubscribe(from: &reader))
        case .unsuback: return .unsuback(try UnsubAck(from: &reader))
        case .disconnect: return .disconnect(try Disconnect(from: &reader))
        case .auth: return .auth(try Auth(from: &reader))
        case .pingreq:
            try reader.finish()
            return .pingreq
        case .pingresp:
            try reader.finish()
            return .pingresp
        }
    }
}

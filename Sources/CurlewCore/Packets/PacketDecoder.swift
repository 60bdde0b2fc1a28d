package import NIOCore

/// Decodes a peer's bytes into packets. Any bytes are safe: none can trap, and everything kept is bounded.
package struct PacketDecoder: Sendable {
    package let sender: PacketSender
    /// The version of the packets. A CONNECT sets it.
    package var version: ProtocolVersion
    /// The largest packet accepted, in bytes, header included.
    package let maximumPacketSize: Int
    /// Which PUBLISH packets are skipped, rather than refused.
    private let leavingOut: Excess

    private var topics = TopicCache()
    private var propertyLists = PropertyCache()
    /// The error that occurred: the bytes after it have no meaning.
    private var failure: DecodingError?
    /// The PUBLISH that is being skipped, or was; boxed, because hardly any connection ever has one.
    private var skipped: Box?
    /// How many of its bytes are still to come.
    private var left = 0

    /// The approximate size of what the decoder caches of earlier packets, in bytes.
    package var byteCount: Int { self.topics.byteCount + self.propertyLists.byteCount }

    /// Makes a decoder for one connection.
    ///
    /// - Parameters:
    ///   - maximumPacketSize: In bytes, header included. A larger packet is refused as soon as its header has
    ///     arrived, so a caller need never hold more than that many bytes.
    ///   - leavingOut: Which PUBLISH packets are skipped instead; see ``takeSkipped()``. Of one that is too large,
    ///     a caller need only hold the bytes before the payload, up to that maximum or 128 KiB.
    package init(
        from sender: PacketSender, version: ProtocolVersion, maximumPacketSize: UInt32, leavingOut: Excess = []
    ) {
        self.sender = sender
        self.version = version
        self.maximumPacketSize = Int(maximumPacketSize)
        self.leavingOut = leavingOut
    }

    /// Removes the next packet from `buffer`, or returns `nil` and removes nothing if it is incomplete. After each
    /// skipped PUBLISH, it returns `nil` as well.
    ///
    /// - Throws: The error in the bytes; from then on, always the same one.
    package mutating func decode(from buffer: inout ByteBuffer) throws(DecodingError) -> Packet? {
        if let failure { throw failure }
        if self.left > 0 {
            self.skip(&buffer)
            return nil
        }
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
                guard let header = try self.header(of: bytes) else { return nil }
                guard header.packetSize <= self.maximumPacketSize else {
                    size = try self.beginSkipping(header, bytes, of: buffer)
                    return nil
                }
                guard header.packetSize <= bytes.count else { return nil }
                size = header.packetSize
                var reader = PacketReader(
                    header.packet, flags: header.flags, version: self.version, from: self.sender,
                    UnsafeRawBufferPointer(rebasing: bytes[header.size..<size]), of: buffer,
                    at: buffer.pointee.readerIndex + header.size
                )
                do throws(DecodingError) {
                    return try self.packet(&reader)
                } catch {
                    guard case .tooManyProperties(.publish) = error, self.leavingOut.contains(.properties) else {
                        throw error
                    }
                    try self.skipProperties(header, bytes, of: buffer)
                    return nil
                }
            }
        }
        buffer.moveReaderIndex(forwardBy: size)
        if self.left > 0 { self.skip(&buffer) }
        return packet
    }

    // MARK: Leaving out

    /// Limits that a PUBLISH may exceed without a fault of its connection.
    package struct Excess: OptionSet, Sendable, Hashable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// More bytes than the maximum.
        package static let bytes = Self(rawValue: 1)
        /// More properties than ``Properties/maximumCount``.
        package static let properties = Self(rawValue: 2)
    }

    /// A skipped PUBLISH: without its payload, and with no more than the maximum number of properties.
    package struct SkippedPublish: Equatable, Sendable {
        package var publish: Publish
        /// The size of the packet, header included.
        package var size: Int
        package var excess: Excess
    }

    private final class Box: Sendable {
        let value: SkippedPublish

        init(_ value: SkippedPublish) { self.value = value }
    }

    /// The PUBLISH that was skipped after the last packet, if one was; then there may be more packets in the
    /// buffer. Each is returned once.
    package mutating func takeSkipped() -> SkippedPublish? {
        guard self.left == 0, self.skipped != nil else { return nil }
        return exchange(&self.skipped, with: nil)?.value
    }

    /// The topic of a PUBLISH that was refused, if the buffer contains it.
    package func topicOfRefused(in buffer: ByteBuffer) -> TopicName? {
        buffer.withUnsafeReadableBytes { bytes in
            guard let header = try? self.header(of: bytes), header.packet == .publish, bytes.count >= header.size + 2
            else { return nil }
            let length = Int(bytes[header.size]) << 8 | Int(bytes[header.size + 1])
            let start = header.size + 2
            guard length > 0, start + length <= bytes.count else { return nil }
            let text = PacketReader.text(UnsafeRawBufferPointer(rebasing: bytes[start..<start + length]))
            return text.flatMap { try? TopicName($0) }
        }
    }

    private mutating func skip(_ buffer: inout ByteBuffer) {
        let count = min(self.left, buffer.readableBytes)
        buffer.moveReaderIndex(forwardBy: count)
        self.left -= count
    }

    /// A packet larger than the maximum has begun. Returns how many of its bytes were removed.
    @inline(never)
    private mutating func beginSkipping(
        _ header: FixedHeader, _ bytes: UnsafeRawBufferPointer, of buffer: UnsafePointer<ByteBuffer>
    ) throws(DecodingError) -> Int {
        let tooLarge = DecodingError.packetTooLarge(size: header.packetSize, maximum: self.maximumPacketSize)
        guard self.leavingOut.contains(.bytes), header.packet == .publish else { throw tooLarge }
        guard let end = try self.endOfProperties(header, bytes) else { return 0 }
        guard end <= header.packetSize else { throw .truncated(.publish) }
        guard end <= max(self.maximumPacketSize, 1 << 17) else { throw tooLarge }
        guard end <= bytes.count else { return 0 }
        self.skipped = try self.skippedPublish(.bytes, header, bytes, through: end, of: buffer)
        self.left = header.packetSize - end
        return end
    }

    /// A complete PUBLISH has too many properties.
    @inline(never)
    private mutating func skipProperties(
        _ header: FixedHeader, _ bytes: UnsafeRawBufferPointer, of buffer: UnsafePointer<ByteBuffer>
    ) throws(DecodingError) {
        let end = header.packetSize
        self.skipped = try self.skippedPublish(.properties, header, bytes, through: end, of: buffer)
    }

    private mutating func skippedPublish(
        _ excess: Excess, _ header: FixedHeader, _ bytes: UnsafeRawBufferPointer, through end: Int,
        of buffer: UnsafePointer<ByteBuffer>
    ) throws(DecodingError) -> Box {
        var reader = PacketReader(
            .publish, flags: header.flags, version: self.version, from: self.sender,
            UnsafeRawBufferPointer(rebasing: bytes[header.size..<end]), of: buffer,
            at: buffer.pointee.readerIndex + header.size)
        reader.dropsExcessProperties = self.leavingOut.contains(.properties)
        var publish = try Publish(from: &reader, topics: &self.topics, properties: &self.propertyLists)
        publish.payload = ByteBuffer()
        return Box(SkippedPublish(publish: publish, size: header.packetSize, excess: excess))
    }

    /// The position of the payload of a PUBLISH; `nil` if the bytes before it are incomplete.
    private func endOfProperties(
        _ header: FixedHeader, _ bytes: UnsafeRawBufferPointer
    ) throws(DecodingError) -> Int? {
        guard header.size + 2 <= bytes.count else { return nil }
        var end = header.size + 2 + (Int(bytes[header.size]) << 8 | Int(bytes[header.size + 1]))
        if header.flags & 0b0110 != 0 { end += 2 }
        guard self.version == .v5_0 else { return end }
        var length = VariableByteInteger()
        while end < bytes.count {
            let value = try length.take(bytes[end])
            end += 1
            if let value { return end + Int(value) }
        }
        return nil
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

    /// The fixed header, or `nil` if it is incomplete. Errors in it are found at the earliest byte.
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
            return FixedHeader(packet: packet, flags: flags, size: size, packetSize: size + Int(length))
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

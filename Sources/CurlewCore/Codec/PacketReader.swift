import NIOCore

/// Reads the fields of one complete packet. Every read is checked against the end.
///
/// It reads the bytes in place, so it must not outlive the closure that lent them. It returns copies, or slices
/// that keep the buffer alive.
struct PacketReader {
    let packet: PacketType
    /// A CONNECT sets this to the version that it names.
    var version: ProtocolVersion
    let sender: PacketSender
    /// The flags of the first byte.
    let flags: UInt8
    /// Whether properties beyond ``Properties/maximumCount`` are discarded, rather than refused.
    var dropsExcessProperties = false

    /// From the first byte after the fixed header to the end of the packet.
    private let bytes: UnsafeRawBufferPointer
    /// The buffer that `bytes` belong to, lent as well, and their position in it, for slices. Holding the buffer
    /// itself would update its reference count for each packet.
    private let buffer: UnsafePointer<ByteBuffer>
    private let start: Int
    private var offset = 0
    /// The end of the packet, or of its property list while that is read.
    private var end: Int

    init(
        _ packet: PacketType, flags: UInt8, version: ProtocolVersion, from sender: PacketSender,
        _ bytes: UnsafeRawBufferPointer, of buffer: UnsafePointer<ByteBuffer>, at start: Int
    ) {
        self.packet = packet
        self.flags = flags
        self.version = version
        self.sender = sender
        self.bytes = bytes
        self.buffer = buffer
        self.start = start
        self.end = bytes.count
    }

    var isAtEnd: Bool { self.offset == self.end }

    /// The number of bytes up to the end.
    var remainingCount: Int { self.end - self.offset }

    /// Requires that nothing is left.
    func finish() throws(DecodingError) {
        guard self.isAtEnd else { throw .trailingBytes(self.packet) }
    }

    // MARK: Integers

    @inline(__always)
    private mutating func advance(by count: Int) throws(DecodingError) -> Int {
        let position = self.offset
        // `offset` never exceeds `end`, so this cannot overflow.
        guard count <= self.end - position else { throw .truncated(self.packet) }
        self.offset = position + count
        return position
    }

    @inline(__always)
    mutating func byte() throws(DecodingError) -> UInt8 {
        self.bytes.load(fromByteOffset: try self.advance(by: 1), as: UInt8.self)
    }

    @inline(__always)
    mutating func twoBytes() throws(DecodingError) -> UInt16 {
        UInt16(bigEndian: self.bytes.loadUnaligned(fromByteOffset: try self.advance(by: 2), as: UInt16.self))
    }

    mutating func fourBytes() throws(DecodingError) -> UInt32 {
        UInt32(bigEndian: self.bytes.loadUnaligned(fromByteOffset: try self.advance(by: 4), as: UInt32.self))
    }

    mutating func variableByteInteger() throws(DecodingError) -> UInt32 {
        var value = VariableByteInteger()
        while true {
            if let result = try value.take(self.byte()) { return result }
        }
    }

    /// A packet identifier, which is not 0. [MQTT-2.2.1-3] [MQTT-2.2.1-4]
    @inline(__always)
    mutating func packetID() throws(DecodingError) -> PacketID {
        guard let packetID = PacketID(try self.twoBytes()) else { throw .packetIDZero(self.packet) }
        return packetID
    }

    /// A reason code of 5.0 that the standard lists for this packet.
    mutating func reasonCode() throws(DecodingError) -> ReasonCode {
        let code = ReasonCode(rawValue: try self.byte())
        guard code.isDefined(for: self.packet) else { throw .reasonCode(code.rawValue, self.packet) }
        return code
    }

    // MARK: Text and bytes

    /// Two bytes of length and that number of bytes, in place.
    @inline(__always)
    mutating func field() throws(DecodingError) -> UnsafeRawBufferPointer {
        let count = Int(try self.twoBytes())
        let position = try self.advance(by: count)
        return UnsafeRawBufferPointer(rebasing: self.bytes[position..<position + count])
    }

    /// [MQTT-1.5.4-1] [MQTT-1.5.4-2]; a byte order mark is kept [MQTT-1.5.4-3].
    mutating func text() throws(DecodingError) -> String {
        guard let text = try Self.text(self.field()) else { throw .text(self.packet) }
        return text
    }

    /// Two bytes of length and that number of bytes, as a copy: a slice of a few bytes would keep the whole read
    /// alive.
    mutating func data() throws(DecodingError) -> ByteBuffer {
        ByteBuffer(bytes: try self.field())
    }

    /// The rest of the packet.
    @inline(__always)
    mutating func rest() -> ByteBuffer {
        let position = self.offset
        self.offset = self.end
        return self.slice(at: position, self.end - position)
    }

    /// An empty slice keeps no buffer alive.
    @inline(__always)
    private func slice(at position: Int, _ count: Int) -> ByteBuffer {
        if count == 0 { return ByteBuffer() }
        return self.buffer.pointee.getSlice(at: self.start + position, length: count) ?? ByteBuffer()
    }

    /// The text of these bytes, or `nil` if they are not well-formed UTF-8 or contain a null character.
    static func text(_ bytes: UnsafeRawBufferPointer) -> String? {
        guard !bytes.contains(0) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    // MARK: Topics

    mutating func topicName() throws(DecodingError) -> TopicName {
        let text = try self.text()
        do { return try TopicName(text) } catch { throw .topicName(self.packet) }
    }

    mutating func topicFilter() throws(DecodingError) -> TopicFilter {
        let text = try self.text()
        do { return try TopicFilter(text) } catch { throw .topicFilter(self.packet) }
    }

    // MARK: A part of the packet

    /// Reads the length of a list if it is 0.
    @inline(__always)
    mutating func skipEmptyList() throws(DecodingError) -> Bool {
        guard self.offset < self.end else { throw .truncated(self.packet) }
        guard self.bytes[self.offset] == 0 else { return false }
        self.offset += 1
        return true
    }

    /// The bytes of the list at the current position, without advancing, if its length takes one byte.
    @inline(__always)
    func shortList() -> UnsafeRawBufferPointer? {
        guard self.offset < self.end else { return nil }
        let (start, count) = (self.offset + 1, Int(self.bytes[self.offset]))
        guard count < 0x80, count <= self.end - start else { return nil }
        return UnsafeRawBufferPointer(rebasing: self.bytes[start..<start + count])
    }

    /// Advances past a list that ``shortList()`` has returned.
    @inline(__always)
    mutating func skip(_ list: UnsafeRawBufferPointer) { self.offset += 1 + list.count }

    /// Reads a length, then lets `body` read exactly that number of bytes.
    @inline(__always)
    mutating func counted(
        _ body: (inout PacketReader) throws(DecodingError) -> Void
    ) throws(DecodingError) {
        let count = Int(try self.variableByteInteger())
        let whole = self.end
        guard count <= whole - self.offset else { throw .truncated(self.packet) }
        self.end = self.offset + count
        while self.offset < self.end { try body(&self) }
        self.end = whole
    }
}

/// An incoming variable byte integer: seven bits in each byte, least significant first (MQTT 5.0 section 1.5.5).
struct VariableByteInteger {
    private var value: UInt32 = 0
    private var shift: UInt32 = 0

    /// The largest that four bytes hold.
    static let maximum = 268_435_455

    /// Takes one byte; returns the value once it is complete. Four bytes at most, and no more than necessary
    /// [MQTT-1.5.5-1].
    @inline(__always)
    mutating func take(_ byte: UInt8) throws(DecodingError) -> UInt32? {
        self.value |= UInt32(byte & 0x7F) << self.shift
        if byte & 0x80 != 0 {
            guard self.shift < 21 else { throw .variableByteInteger }
            self.shift += 7
            return nil
        }
        // A last byte of 0 adds nothing, so it is not minimal.
        guard byte != 0 || self.shift == 0 else { throw .variableByteInteger }
        return self.value
    }

    /// The number of bytes that `value` takes.
    @inline(__always)
    static func size(of value: Int) -> Int {
        switch value {
        case ..<0x80: 1
        case ..<0x4000: 2
        case ..<0x20_0000: 3
        default: 4
        }
    }
}

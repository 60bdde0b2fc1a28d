#if Tools
import Curlew
import CurlewCore
import CurlewTransport
import Dispatch
import NIOCore

/// A stream of bytes to read: a file, a pipe or a terminal. It is read on a thread of its own, so that waiting for
/// input blocks no other task and can be cancelled.
struct Input: Sendable {
    /// The largest payload of a message: the largest remaining length minus the longest topic and some bytes of header.
    static let maximumMessageSize = PacketSize.largestRemainingLength - 65_535 - 16

    private let descriptor: Descriptor
    /// The input's name in the middle of a sentence.
    private let name: String
    private let queue = DispatchQueue(label: "curlew.input")

    init(_ descriptor: Descriptor, name: String) {
        self.descriptor = descriptor
        self.name = name
    }

    /// Up to 64 KiB, as soon as any are available; `nil` at the end, and when the task is cancelled.
    func next() async throws -> [UInt8]? {
        let chunk = OneShot<Result<[UInt8], SystemError>>()
        self.queue.async { [descriptor] in
            chunk.set(Result { () throws(SystemError) in try descriptor.readSome(65_536) })
        }
        switch await chunk.wait() {
        case .success(let bytes)?: return bytes.isEmpty ? nil : bytes
        case .failure(let error)?: throw CommandFailure("Reading \(self.name) failed: \(error).")
        case nil: return nil
        }
    }

    func readToEnd() async throws -> ByteBuffer {
        var buffer = ByteBuffer()
        while let bytes = try await self.next() {
            guard buffer.readableBytes + bytes.count <= Self.maximumMessageSize else {
                throw self.tooLong("The message")
            }
            buffer.writeBytes(bytes)
        }
        guard !Task.isCancelled else {
            throw CommandFailure("The message was not sent; \(self.name) was not read to its end.")
        }
        return buffer
    }

    func tooLong(_ what: String) -> CommandFailure {
        CommandFailure(
            "\(what) in \(self.name) is longer than \(Self.maximumMessageSize) bytes, the maximum size of a message."
        )
    }
}

/// Splits an input into lines.
struct LineReader {
    private let input: Input
    private var lines: ArraySlice<ByteBuffer> = []
    private var partial = ByteBuffer()
    private var isAtEnd = false

    init(_ input: Input) { self.input = input }

    /// The number of lines that were read but not returned; an incomplete line counts as one.
    var unreadCount: Int { self.lines.count + (self.partial.readableBytes > 0 ? 1 : 0) }

    /// Takes back the line that was returned last.
    mutating func putBack(_ line: ByteBuffer) { self.lines = [line] + self.lines }

    /// The next line without its line break, which the last line may lack. `nil` at the end, and when the task is
    /// cancelled.
    mutating func next() async throws -> ByteBuffer? {
        while true {
            guard !Task.isCancelled else { return nil }
            if let line = self.lines.popFirst() { return line }
            guard !self.isAtEnd else { return nil }
            guard let bytes = try await self.input.next() else {
                self.isAtEnd = true
                guard !Task.isCancelled, self.partial.readableBytes > 0 else { return nil }
                return exchange(&self.partial, with: ByteBuffer())
            }
            try self.split(bytes)
        }
    }

    private mutating func split(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        var lines: [ByteBuffer] = []
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            self.partial.writeBytes(rest[..<end])
            lines.append(self.partial)
            self.partial = ByteBuffer()
            rest = rest[(end + 1)...]
        }
        self.partial.writeBytes(rest)
        self.lines = lines[...]
        guard self.partial.readableBytes <= Input.maximumMessageSize else { throw self.input.tooLong("A line") }
    }
}
#endif

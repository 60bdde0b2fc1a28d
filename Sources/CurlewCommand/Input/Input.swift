#if Tools
import Curlew
import CurlewCore
import Dispatch
import NIOCore

/// A stream of bytes from outside. It is read on a thread of its own, so that waiting for a person at a keyboard blocks
/// nobody else and can be cancelled.
struct Input: Sendable {
    /// The largest payload of one message: a packet of 256 MiB less its header, a topic and an identifier.
    static let maximumMessageSize = 268_435_455 - 65_535 - 16

    private let descriptor: Descriptor
    /// What is read, in the middle of a sentence.
    private let name: String
    private let queue = DispatchQueue(label: "curlew.input")

    init(_ descriptor: Descriptor, name: String) {
        self.descriptor = descriptor
        self.name = name
    }

    /// Up to 64 KiB, as soon as there is something; `nil` at the end, and when the task is cancelled.
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
            guard buffer.readableBytes + bytes.count <= Self.maximumMessageSize else { throw self.tooLong("It") }
            buffer.writeBytes(bytes)
        }
        guard !Task.isCancelled else {
            throw CommandFailure("The message was not sent; \(self.name) has not come to its end.")
        }
        return buffer
    }

    func tooLong(_ what: String) -> CommandFailure {
        CommandFailure(
            "\(what), in \(self.name), is longer than the \(Self.maximumMessageSize) bytes that a message can have."
        )
    }
}

/// Cuts an input into lines.
struct LineReader {
    private let input: Input
    private var lines: ArraySlice<ByteBuffer> = []
    private var partial = ByteBuffer()
    private var isAtEnd = false

    init(_ input: Input) { self.input = input }

    /// How many lines were read, and not given to anybody; one without its end is one.
    var unreadCount: Int { self.lines.count + (self.partial.readableBytes > 0 ? 1 : 0) }

    /// Takes back a line that was given last.
    mutating func putBack(_ line: ByteBuffer) { self.lines = [line] + self.lines }

    /// The next line without its end; the last one may lack it. `nil` after the last, and when the task is cancelled.
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

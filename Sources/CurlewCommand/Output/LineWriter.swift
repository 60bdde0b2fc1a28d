#if Tools
import Curlew
import CurlewTransport
import Dispatch
import Synchronization

/// Writes lines on a thread of its own, so that callers never wait for the reader. When its buffer is full, lines are
/// dropped and counted, and the count is written as soon as there is room again.
final class LineWriter: Sendable {
    /// The size of the buffer, in bytes.
    static let limit = 1 << 20

    private enum Part {
        case lines([UInt8])
        /// This many lines were dropped here.
        case gap(Int)
        /// The following lines are written to another file.
        case file(Descriptor)
    }

    private struct State {
        var parts: [Part] = []
        var waitingBytes = 0
        /// The lines that were dropped, or could not be written, since the last count was written.
        var dropped = 0
        var isWriting = false
        /// Those that wait until everything is written.
        var waiting: [OneShot<Void>] = []

        mutating func append(_ line: [UInt8]) {
            self.waitingBytes += line.count
            if case .lines(var bytes)? = self.parts.last {
                self.parts.removeLast()
                bytes += line
                self.parts.append(.lines(bytes))
            } else {
                self.parts.append(.lines(line))
            }
        }
    }

    /// Guards what is to be written.
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "curlew.lines")
    /// Used only on the queue.
    private nonisolated(unsafe) var descriptor: Descriptor
    /// Whether the last line was written only in part. Used only on the queue.
    private nonisolated(unsafe) var isMidLine = false
    private let describe: @Sendable (_ dropped: Int) -> [UInt8]

    /// - Parameter describe: Returns the line that reports the number of dropped lines.
    init(_ descriptor: Descriptor, describe: @escaping @Sendable (_ dropped: Int) -> [UInt8] = { _ in [] }) {
        self.descriptor = descriptor
        self.describe = describe
    }

    /// Adds a line, which ends with a line feed. Never waits.
    func write(_ line: [UInt8]) {
        self.add { state in
            guard state.waitingBytes <= Self.limit - line.count else {
                state.dropped += 1
                return
            }
            if state.dropped > 0 { state.parts.append(.gap(exchange(&state.dropped, with: 0))) }
            state.append(line)
        }
    }

    /// Closes the file after writing the lines added so far, and writes further lines to another file.
    func changeFile(to descriptor: Descriptor) { self.add { $0.parts.append(.file(descriptor)) } }

    /// Waits until everything is written, at most this long.
    func finish(within limit: Duration) async {
        let done: OneShot<Void>? = self.state.withLock { state in
            guard state.isWriting else { return nil }
            let done = OneShot<Void>()
            state.waiting.append(done)
            return done
        }
        _ = await done?.wait(within: limit)
    }

    private func add(_ body: @Sendable (inout State) -> Void) {
        let begins = self.state.withLock { state in
            body(&state)
            guard !state.isWriting, !state.parts.isEmpty else { return false }
            state.isWriting = true
            return true
        }
        if begins { self.queue.async { self.writeAll() } }
    }

    // MARK: On the queue

    private func writeAll() {
        while let part = self.next() {
            switch part {
            case .lines(let bytes):
                let lost = self.write(lines: bytes)
                self.state.withLock { state in
                    state.waitingBytes -= bytes.count
                    state.dropped += lost
                    // There is room for the count now. If writing fails, trying again would only fail again.
                    if lost == 0, state.dropped > 0, state.parts.isEmpty {
                        state.parts.append(.gap(exchange(&state.dropped, with: 0)))
                    }
                }
            case .gap(let count):
                if self.write(lines: self.describe(count)) > 0 { self.state.withLock { $0.dropped += count } }
            case .file(let descriptor):
                self.descriptor.closeFile()
                self.descriptor = descriptor
                self.isMidLine = false
            }
        }
    }

    private func next() -> Part? {
        let (part, waiting): (Part?, [OneShot<Void>]) = self.state.withLock { state in
            guard state.parts.isEmpty else { return (state.parts.removeFirst(), []) }
            state.isWriting = false
            return (nil, exchange(&state.waiting, with: []))
        }
        for one in waiting { one.set(()) }
        return part
    }

    /// Writes lines. Returns the number of those that could not be written.
    private func write(lines bytes: [UInt8]) -> Int {
        var rest = bytes[...]
        do throws(SystemError) {
            if self.isMidLine {
                _ = try self.descriptor.writeSome([UInt8(ascii: "\n")])
                self.isMidLine = false
            }
            while !rest.isEmpty { rest = rest.dropFirst(try self.descriptor.writeSome(rest)) }
            return 0
        } catch {
            // The disk is full, or the reader has gone: this cannot be reported now.
            if rest.startIndex > 0 { self.isMidLine = bytes[rest.startIndex - 1] != UInt8(ascii: "\n") }
            return rest.count { $0 == UInt8(ascii: "\n") }
        }
    }
}
#endif

import CurlewTransport
package import Foundation
import Synchronization

/// The text that a program has written into a pipe so far.
package final class PipeText: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var isAtEnd = false
        /// The start of the first line that has not been returned yet.
        var next = 0
        /// Set when more text or the end arrives, and then replaced by a new one.
        var more = OneShot<Void>()

        mutating func takeLine() -> String? {
            guard let end = self.bytes[self.next...].firstIndex(of: UInt8(ascii: "\n")) else { return nil }
            defer { self.next = end + 1 }
            return String(decoding: self.bytes[self.next..<end], as: UTF8.self)
        }
    }

    private let state = Mutex(State())

    /// Reads from the pipe, in its own thread, until all writers have closed it.
    package init(_ pipe: Pipe) {
        Thread.detachNewThread {
            // Not with FileHandle, for which a signal at the wrong moment is a fatal error.
            let file = pipe.fileHandleForReading.fileDescriptor
            var part = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = read(file, &part, part.count)
                if count > 0 {
                    self.change { $0.bytes += part[..<count] }
                } else if count == 0 || errno != EINTR {
                    break
                }
            }
            // Closed here, because Foundation keeps the pipes of ended processes open.
            try? pipe.fileHandleForReading.close()
            self.change { $0.isAtEnd = true }
        }
    }

    /// The text of a pipe without a reader.
    package init() { self.state.withLock { $0.isAtEnd = true } }

    private func change(_ body: (inout State) -> Void) {
        let more = self.state.withLock { state in
            body(&state)
            defer { state.more = OneShot() }
            return state.more
        }
        more.set(())
    }

    /// Everything that has arrived so far.
    package var soFar: String { self.state.withLock { String(decoding: $0.bytes, as: UTF8.self) } }

    /// Waits for the end and returns the whole text.
    package func whole() async -> String {
        await self.wait { _ in Bool?.none }
        return self.soFar
    }

    /// Waits until the text contains `text`; `false` if it ends first or the task is cancelled.
    package func contains(_ text: String) async -> Bool {
        await self.wait { String(decoding: $0.bytes, as: UTF8.self).contains(text) ? true : nil } ?? false
    }

    /// Waits for the next line that fits, after those already returned; `nil` if the text ends first or the task is
    /// cancelled.
    package func line(where fits: (String) -> Bool) async -> String? {
        await self.wait { state in
            while let line = state.takeLine() {
                if fits(line) { return line }
            }
            return nil
        }
    }

    /// Waits until something is found; `nil` if nothing is found before the end.
    @discardableResult
    private func wait<Found: Sendable>(until find: (inout State) -> Found?) async -> Found? {
        while true {
            let (found, more) = self.state.withLock { state in (find(&state), state.isAtEnd ? nil : state.more) }
            if let found { return found }
            guard let more, await more.wait() != nil else { return nil }
        }
    }
}

import CurlewTransport
package import Foundation
import Synchronization

/// The text that a program writes into a pipe, as far as it has come.
package final class PipeText: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var isAtEnd = false
        /// Where the first line begins that nobody was given yet.
        var next = 0
        /// Set when more has come, or the end; there is another for what comes afterwards.
        var more = OneShot<Void>()

        mutating func takeLine() -> String? {
            guard let end = self.bytes[self.next...].firstIndex(of: UInt8(ascii: "\n")) else { return nil }
            defer { self.next = end + 1 }
            return String(decoding: self.bytes[self.next..<end], as: UTF8.self)
        }
    }

    private let state = Mutex(State())

    /// Reads from the pipe, in a thread of its own, until nobody can write into it any more.
    package init(_ pipe: Pipe) {
        Thread.detachNewThread {
            // Not by FileHandle, for which a signal at the wrong moment is a fatal error.
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
            // Now, because Foundation keeps the pipes of processes that have ended.
            try? pipe.fileHandleForReading.close()
            self.change { $0.isAtEnd = true }
        }
    }

    /// The text of a pipe that nobody reads.
    package init() { self.state.withLock { $0.isAtEnd = true } }

    private func change(_ body: (inout State) -> Void) {
        let more = self.state.withLock { state in
            body(&state)
            defer { state.more = OneShot() }
            return state.more
        }
        more.set(())
    }

    /// All that has come so far.
    package var soFar: String { self.state.withLock { String(decoding: $0.bytes, as: UTF8.self) } }

    /// Waits to the end, and returns all.
    package func whole() async -> String {
        await self.wait { _ in Bool?.none }
        return self.soFar
    }

    /// Waits until the text is part of it; `false` when it has ended without, or the task is cancelled.
    package func contains(_ text: String) async -> Bool {
        await self.wait { String(decoding: $0.bytes, as: UTF8.self).contains(text) ? true : nil } ?? false
    }

    /// Waits for the first line that fits, after those that others were given; `nil` when it has ended without, or the task is
    /// cancelled.
    package func line(where fits: (String) -> Bool) async -> String? {
        await self.wait { state in
            while let line = state.takeLine() {
                if fits(line) { return line }
            }
            return nil
        }
    }

    /// Waits until something is found; `nil` when there is nothing to the end.
    @discardableResult
    private func wait<Found: Sendable>(until find: (inout State) -> Found?) async -> Found? {
        while true {
            let (found, more) = self.state.withLock { state in (find(&state), state.isAtEnd ? nil : state.more) }
            if let found { return found }
            guard let more, await more.wait() != nil else { return nil }
        }
    }
}

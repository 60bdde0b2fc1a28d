#if Tools
import Curlew
import CurlewTransport
import Dispatch

/// Where the demo writes. Writing is done on a thread of its own, and waited for: a terminal that stands still holds the
/// demo's messages up and nothing else.
struct DemoOutput: Sendable {
    private let descriptor: Descriptor
    private let nameWidth: Int
    private let isTerminal: Bool
    private let hasColour: Bool
    private let queue = DispatchQueue(label: "curlew.demo")

    /// - Parameter names: The devices' names.
    init(_ descriptor: Descriptor, names: [String]) {
        self.descriptor = descriptor
        self.nameWidth = names.map(\.count).max() ?? 0
        self.isTerminal = descriptor.isTerminal
        self.hasColour =
            self.isTerminal && environmentVariable("NO_COLOR") == nil && environmentVariable("TERM") != "dumb"
    }

    /// - Throws: ``SystemError`` when it cannot be written.
    nonisolated(nonsending) func write(_ line: DemoLine) async throws {
        // Asked each time: the person may have changed it.
        let width = self.isTerminal ? self.descriptor.terminalWidth ?? 80 : nil
        try await self.write(
            line.text(in: .init(nameWidth: self.nameWidth, width: width, hasColour: self.hasColour)))
    }

    /// Writes a line, or several.
    ///
    /// - Throws: ``SystemError`` when it cannot be written.
    nonisolated(nonsending) func write(_ text: String) async throws {
        // The terminal has put ^C where the next line begins.
        let bytes = Array("\(self.isTerminal ? "\r" : "")\(text)\n".utf8)
        let done = OneShot<Result<Void, SystemError>>()
        self.queue.async { [descriptor] in
            do throws(SystemError) {
                try descriptor.writeAll(bytes)
                done.set(.success(()))
            } catch {
                done.set(.failure(error))
            }
        }
        try await done.wait()?.get()
    }
}
#endif

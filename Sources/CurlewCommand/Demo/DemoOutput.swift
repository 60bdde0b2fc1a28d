#if Tools
import Curlew
import CurlewTransport
import Dispatch

/// The demo's output. Lines are written on a thread of its own and awaited, so that a stopped terminal delays only the
/// demo's console.
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
        // Read each time, because the window may be resized.
        let width = self.isTerminal ? self.descriptor.terminalWidth ?? 80 : nil
        try await self.write(
            line.text(in: .init(nameWidth: self.nameWidth, width: width, hasColour: self.hasColour)))
    }

    /// Writes one or several lines.
    ///
    /// - Throws: ``SystemError`` when it cannot be written.
    nonisolated(nonsending) func write(_ text: String) async throws {
        // After Ctrl-C, the terminal has printed ^C at the beginning of the line.
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

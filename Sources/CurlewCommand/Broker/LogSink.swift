#if Tools
import Logging
import Synchronization

/// The destinations of the log. Writing a line never waits, so a stopped terminal or a full disk does not block an
/// event loop.
final class LogSink: Sendable {
    private let path: String?
    private let file: LineWriter?
    private let standard: [(writer: LineWriter, hasColour: Bool)]

    /// - Parameters:
    ///   - hasColour: Whether to use colours on a terminal.
    ///   - standardOutput: The writer of standard output, which others may use as well.
    /// - Throws: If the file cannot be opened.
    init(
        _ destinations: Set<LogSettings.Destination>, hasColour: Bool,
        standardOutput: LineWriter = LineWriter(.standardOutput)
    ) throws {
        var standard: [(writer: LineWriter, hasColour: Bool)] = []
        var path: String?
        for destination in destinations {
            switch destination {
            case .file(let name): path = name
            case .standardError:
                let writer = LineWriter(.standardError, describe: Self.describe)
                standard.append((writer, hasColour && Descriptor.standardError.isTerminal))
            case .standardOutput:
                standard.append((standardOutput, hasColour && Descriptor.standardOutput.isTerminal))
            }
        }
        self.standard = standard
        self.path = path
        self.file = try path.map { LineWriter(try Self.open($0), describe: Self.describe) }
    }

    /// Reopens the file, after log rotation has moved it.
    ///
    /// - Throws: If it cannot be opened. The old file then stays in use.
    func reopen() throws {
        guard let path else { return }
        self.file?.changeFile(to: try Self.open(path))
    }

    func write(_ line: LogLine) {
        self.file?.write(line.bytes(hasColour: false))
        for (writer, hasColour) in self.standard { writer.write(line.bytes(hasColour: hasColour)) }
    }

    /// Waits until all lines are written, at most this long.
    func finish(within limit: Duration) async {
        await withTaskGroup { group in
            for writer in [self.file].compactMap({ $0 }) + self.standard.map(\.writer) {
                group.addTask { await writer.finish(within: limit) }
            }
        }
    }

    /// The line that reports the number of dropped lines.
    static func describe(dropped count: Int) -> [UInt8] {
        LogLine(
            time: .now, level: .warning,
            message: "log lines were dropped because they could not be written in time",
            metadata: [("lines", "\(count)")]
        ).bytes(hasColour: false)
    }

    private static func open(_ path: String) throws -> Descriptor {
        do throws(SystemError) { return try Descriptor.openToAppend(path) } catch {
            throw CommandFailure("The log file '\(path)' cannot be written: \(error).")
        }
    }
}
#endif

#if Tools
import Logging
import Synchronization

/// Where lines of the log go. Writing a line never waits: neither a terminal that stands still nor a full disk holds up an event loop.
final class LogSink: Sendable {
    private let path: String?
    private let file: LineWriter?
    private let standard: [(writer: LineWriter, hasColour: Bool)]

    /// - Parameters:
    ///   - hasColour: Whether somebody wants colours on a terminal.
    ///   - standardOutput: What writes to standard output, which others may do as well.
    /// - Throws: What keeps the file from being opened.
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

    /// Opens the file anew: whoever turns logs over has moved it away.
    ///
    /// - Throws: What keeps it from being opened; the old one is written on.
    func reopen() throws {
        guard let path else { return }
        self.file?.changeFile(to: try Self.open(path))
    }

    func write(_ line: LogLine) {
        self.file?.write(line.bytes(hasColour: false))
        for (writer, hasColour) in self.standard { writer.write(line.bytes(hasColour: hasColour)) }
    }

    /// Waits until all lines are written, for so long at the most.
    func finish(within limit: Duration) async {
        await withTaskGroup { group in
            for writer in [self.file].compactMap({ $0 }) + self.standard.map(\.writer) {
                group.addTask { await writer.finish(within: limit) }
            }
        }
    }

    /// The line that says how many lines are missing.
    static func describe(dropped count: Int) -> [UInt8] {
        LogLine(
            time: .now, level: .warning,
            message: "lines of the log were dropped: they could not be written in time",
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

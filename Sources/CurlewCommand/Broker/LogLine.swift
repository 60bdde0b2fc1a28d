#if Tools
import CurlewCore
import Logging

/// A line of the log: time, level, message and metadata.
struct LogLine: Sendable {
    var time: Moment
    var level: Logger.Level
    var message: String
    var metadata: [(key: String, value: String)]

    /// - Parameter hasColour: Whether to colour the level.
    func bytes(hasColour: Bool) -> [UInt8] {
        var text = String(decoding: self.time.formatted("%Y-%m-%dT%H:%M:%S"), as: UTF8.self)
        text += "." + String(decoding: self.time.microsecondDigits.prefix(3), as: UTF8.self)
        text += String(decoding: self.time.formatted("%z"), as: UTF8.self)
        let level = self.level.rawValue
        text += hasColour ? " \u{1B}[\(self.level.colour)m\(level)\u{1B}[0m" : " \(level)"
        text += " " + self.message.printable
        for (key, value) in self.metadata { text += " \(key.printable)=\(Self.quoted(value))" }
        return Array((text + "\n").utf8)
    }

    /// An unambiguous value: quoted if it is empty or contains spaces, quotes, equals signs or backslashes.
    private static func quoted(_ value: String) -> String {
        let value = value.printable
        guard value.isEmpty || value.contains(where: { " \"=\\".contains($0) }) else { return value }
        return "\"" + value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}

extension Logger.Level {
    /// The ANSI code of the level's colour.
    fileprivate var colour: Int {
        switch self {
        case .trace, .debug: 90
        case .info: 32
        case .notice: 36
        case .warning: 33
        case .error, .critical: 31
        }
    }
}
#endif

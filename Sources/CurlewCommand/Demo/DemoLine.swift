#if Tools
import CurlewCore

/// One event of the demo, as a line of output.
struct DemoLine: Sendable, Equatable {
    /// The kind of event.
    enum Kind: String, Sendable {
        /// The status of a device, published by the device or as its will by the broker.
        case status
        /// A reading of a device.
        case reading
        /// A request to a device, and the reply.
        case request
        /// The demo has cut a device's connection.
        case demo
    }

    /// The layout of lines.
    struct Layout: Sendable, Equatable {
        /// The width of the longest name.
        var nameWidth: Int
        /// The maximum width of a line in characters; `nil` for no limit.
        var width: Int?
        var hasColour = false

        /// Whether to omit the kind of event to save space.
        fileprivate var isNarrow: Bool { (self.width ?? .max) < 64 }
    }

    /// The time since the start.
    var time: Duration
    var kind: Kind
    var device: String
    var text: String
    /// An explanation, omitted if there is no room.
    var note = ""
    /// Whether it is a retained message.
    var isRetained = false

    /// The line, without its line break.
    func text(in layout: Layout) -> String {
        var parts: [Segment] = [
            Segment((self.time / .seconds(1)).decimal(3).padded(left: layout.isNarrow ? 7 : 9), .faint),
            Segment("  "),
        ]
        if !layout.isNarrow { parts.append(Segment(self.kind.rawValue.padded(right: 9))) }
        parts.append(Segment(self.device.padded(right: layout.nameWidth + 1) + " ", .name))
        parts.append(Segment(self.text, self.isRetained ? .retained : .plain))
        if !self.note.isEmpty {
            let gap = max(2, layout.isNarrow ? 0 : 22 - self.text.count)
            let note = Segment(String(repeating: " ", count: gap) + self.note, .faint)
            // A truncated note would be useless.
            if (parts + [note]).length <= layout.width ?? .max { parts.append(note) }
        }
        return Self.fitted(parts, layout.width).map { layout.hasColour ? $0.coloured : $0.text }.joined()
    }

    /// The segments that fit the width: a wrapped line would break the columns.
    private static func fitted(_ parts: [Segment], _ width: Int?) -> [Segment] {
        guard let width, parts.length > width else { return parts }
        var room = max(0, width - 1)
        var fitted: [Segment] = []
        for part in parts where room > 0 {
            fitted.append(Segment(String(part.text.prefix(room)), part.meaning))
            room -= part.text.count
        }
        return fitted + [Segment("…")]
    }
}

/// A segment of a line in one colour.
private struct Segment {
    /// The meaning of a colour, as in the output of the other commands; the raw value is its ANSI code.
    enum Meaning: String {
        case plain = ""
        /// Cyan.
        case name = "36"
        /// Yellow.
        case retained = "33"
        case faint = "2"
    }

    let text: String
    let meaning: Meaning

    init(_ text: String, _ meaning: Meaning = .plain) {
        self.text = text
        self.meaning = meaning
    }

    var coloured: String {
        self.meaning == .plain ? self.text : "\u{1B}[\(self.meaning.rawValue)m\(self.text)\u{1B}[0m"
    }
}

extension [Segment] {
    /// In characters.
    fileprivate var length: Int { self.reduce(0) { $0 + $1.text.count } }
}

extension String {
    fileprivate func padded(left width: Int) -> String {
        String(repeating: " ", count: max(0, width - self.count)) + self
    }

    fileprivate func padded(right width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - self.count))
    }
}
#endif

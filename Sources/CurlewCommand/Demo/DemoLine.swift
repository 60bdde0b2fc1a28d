#if Tools
import CurlewCore

/// One event of the demo as a person sees it: when, what, who, and what about it.
struct DemoLine: Sendable, Equatable {
    /// What happened.
    enum Kind: String, Sendable {
        /// A device says that it is there or goes, or the broker says it in its place.
        case status
        /// A device has measured something.
        case reading
        /// A device was asked.
        case request
        /// The demo has done something to a device.
        case demo
    }

    /// What is known of the place where lines go.
    struct Layout: Sendable, Equatable {
        /// How wide names are.
        var nameWidth: Int
        /// How many characters a line has; `nil` where that does not matter.
        var width: Int?
        var hasColour = false

        /// Where there is little room, the value alone must say what happened.
        fileprivate var isNarrow: Bool { (self.width ?? .max) < 64 }
    }

    /// Since the start.
    var time: Duration
    var kind: Kind
    var device: String
    var text: String
    /// What there is to say about it.
    var note = ""
    /// Whether it is a message that the broker keeps.
    var isRetained = false

    /// The line, without its end.
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
            // Half a note would tell nothing.
            if (parts + [note]).length <= layout.width ?? .max { parts.append(note) }
        }
        return Self.fitted(parts, layout.width).map { layout.hasColour ? $0.coloured : $0.text }.joined()
    }

    /// As much as fits: what runs on into a second line is no column any more.
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

/// A piece of a line in one colour.
private struct Segment {
    /// What a colour stands for: the same as with messages of the other commands.
    enum Meaning: String {
        case plain = ""
        /// Cyan.
        case name = "36"
        /// Yellow: the broker keeps it.
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

#if Tools
import Curlew
import CurlewCore

/// Which messages `curlew sub` writes, and how many: one decision for each that comes.
struct MessageSelection {
    /// What to do about a message.
    struct Verdict: Equatable {
        var shows = false
        /// Whether the server is to forget it.
        var removes = false
        /// Whether it is nobody's business here, and stays unacknowledged.
        var leaves = false
    }

    private let unwanted: [TopicFilter]
    private let omitsRetained: Bool
    private let wantsRetainedOnly: Bool
    private let removesRetained: Bool
    private let percent: Double?
    private let count: Int?
    private var left: Int

    /// Whether enough have come.
    private(set) var isComplete = false

    init(_ options: SelectionOptions, count: Int?) throws {
        self.unwanted = try Topics.filters(options.unwanted)
        self.omitsRetained = options.omitsRetained
        self.wantsRetainedOnly = options.wantsRetainedOnly
        self.removesRetained = options.removesRetained
        self.percent = options.share?.percent
        self.count = count
        self.left = count ?? .max
    }

    /// What is left undone of what -C asked for, as a sentence.
    var unfinished: String? {
        guard let count, self.left > 0, !self.isComplete else { return nil }
        return "\(count - self.left) of \(count.counted("message")) came."
    }

    mutating func judge(_ message: MQTTMessage) -> Verdict {
        if self.wantsRetainedOnly, !message.isRetained {
            self.isComplete = true
            return Verdict(leaves: true)
        }
        if self.omitsRetained, message.isRetained { return Verdict() }
        if self.unwanted.contains(where: { $0.matches(message.topic) }) { return Verdict() }
        // What chance leaves out counts as well, as with mosquitto's command.
        self.left -= 1
        if self.left == 0 { self.isComplete = true }
        let shows = self.percent.map { Double.random(in: 0..<100) < $0 } ?? true
        return Verdict(shows: shows, removes: self.removesRetained && message.isRetained)
    }
}
#endif

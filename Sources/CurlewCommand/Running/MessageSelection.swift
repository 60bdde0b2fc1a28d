#if Tools
import Curlew
import CurlewCore

/// Decides for each message whether `curlew sub` prints it, and when enough have arrived.
struct MessageSelection {
    /// What to do with a message.
    struct Verdict: Equatable {
        var shows = false
        /// Whether to delete it at the broker.
        var removes = false
        /// Whether to leave it unacknowledged.
        var leaves = false
    }

    private let unwanted: [TopicFilter]
    private let omitsRetained: Bool
    private let wantsRetainedOnly: Bool
    private let removesRetained: Bool
    private let percent: Double?
    private let count: Int?
    private var left: Int

    /// Whether no more messages are wanted.
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

    /// A sentence about the messages that are missing for -C; `nil` if there are enough.
    var unfinished: String? {
        guard let count, self.left > 0, !self.isComplete else { return nil }
        return "\(count - self.left) of \(count.counted("message")) received."
    }

    mutating func judge(_ message: MQTTMessage) -> Verdict {
        if self.wantsRetainedOnly, !message.isRetained {
            self.isComplete = true
            return Verdict(leaves: true)
        }
        if self.omitsRetained, message.isRetained { return Verdict() }
        if self.unwanted.contains(where: { $0.matches(message.topic) }) { return Verdict() }
        // Messages that the random filter drops count as well, as in mosquitto's command.
        self.left -= 1
        if self.left == 0 { self.isComplete = true }
        let shows = self.percent.map { Double.random(in: 0..<100) < $0 } ?? true
        return Verdict(shows: shows, removes: self.removesRetained && message.isRetained)
    }
}
#endif

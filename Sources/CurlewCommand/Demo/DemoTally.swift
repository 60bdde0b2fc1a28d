#if Tools
import Curlew

/// The counts of the demo.
struct DemoTally: Sendable {
    var messages = 0
    /// Requests that were answered or failed.
    var requests = 0
    var answered = 0
    /// The latencies of the replies.
    let latencies = Latencies()

    /// The summary, on short lines that fit any terminal.
    func text(after time: Duration) -> String {
        var lines = [
            "After \((time / .seconds(1)).decimal(1)) s",
            "  messages \(self.messages.grouped)",
            "  requests \(self.requests.grouped), answered \(self.answered.grouped)",
        ]
        if let median = self.latencies.microseconds(atPercentile: 50), let longest = self.latencies.maximum {
            lines.append("  latency  median \(Self.milliseconds(median)), longest \(Self.milliseconds(longest))")
        }
        return lines.joined(separator: "\n")
    }

    static func milliseconds(_ microseconds: Double) -> String {
        "\((microseconds / 1000).decimal(2)) ms"
    }
}
#endif

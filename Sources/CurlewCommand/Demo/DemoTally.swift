#if Tools
import Curlew

/// What the demo has counted.
struct DemoTally: Sendable {
    var messages = 0
    /// Requests that have ended.
    var requests = 0
    var answered = 0
    /// How long the answers took.
    let latencies = Latencies()

    /// The summing-up, on lines that fit any terminal.
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

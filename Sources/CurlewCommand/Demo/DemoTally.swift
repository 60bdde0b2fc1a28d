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
            "After \(BenchReport.decimal(time / .seconds(1), 1)) s",
            "  messages \(BenchReport.grouped(self.messages))",
            "  requests \(BenchReport.grouped(self.requests)), answered \(BenchReport.grouped(self.answered))",
        ]
        if let median = self.latencies.microseconds(atPercentile: 50), let longest = self.latencies.maximum {
            lines.append("  latency  median \(Self.milliseconds(median)), longest \(Self.milliseconds(longest))")
        }
        return lines.joined(separator: "\n")
    }

    static func milliseconds(_ microseconds: Double) -> String {
        "\(BenchReport.decimal(microseconds / 1000, 2)) ms"
    }
}
#endif

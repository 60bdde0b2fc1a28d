#if Tools
import Curlew

/// Shows the current rate on a terminal.
enum LiveRate {
    /// Rewrites one line each second until it is cancelled. Does nothing if standard error is not a terminal.
    static func show(_ progress: Progress) async {
        guard Descriptor.standardError.isTerminal else { return }
        var before = (count: progress.count, instant: ContinuousClock.now)
        while (try? await Task.sleep(for: .seconds(1))) != nil {
            let now = (count: progress.count, instant: ContinuousClock.now)
            let rate = Double(now.count - before.count) / ((now.instant - before.instant) / .seconds(1))
            // Read each time, because the window may be resized.
            let width = Descriptor.standardError.terminalWidth ?? 80
            Self.write("\r\(Self.line(rate: Int(rate), count: now.count, width: width))\u{1B}[K")
            before = now
        }
        Self.write("\r\u{1B}[K")
    }

    /// A line that fits the width: a second line could not be overwritten.
    static func line(rate: Int, count: Int, width: Int) -> String {
        let rate = "\(rate.grouped) per second"
        return ["\(rate), \(count.grouped) so far", rate].first { $0.count < width } ?? ""
    }

    private static func write(_ text: String) {
        // Ignore errors: if standard error cannot be written, nobody sees the rate.
        try? Descriptor.standardError.writeAll(Array(text.utf8))
    }
}
#endif

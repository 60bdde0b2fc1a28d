#if Tools
    import Curlew

    /// The rate of each second, on a terminal.
    enum LiveRate {
        /// Writes one line over and over until it is cancelled. Does nothing when standard error is no terminal.
        static func show(_ progress: Progress) async {
            guard ProcessUsage.standardErrorIsTerminal else { return }
            var before = (count: progress.count, instant: ContinuousClock.now)
            while (try? await Task.sleep(for: .seconds(1))) != nil {
                let now = (count: progress.count, instant: ContinuousClock.now)
                let rate = Double(now.count - before.count) / ((now.instant - before.instant) / .seconds(1))
                Self.write(
                    "\r\(BenchReport.grouped(Int(rate))) per second, \(BenchReport.grouped(now.count)) so far\u{1B}[K")
                before = now
            }
            Self.write("\r\u{1B}[K")
        }

        private static func write(_ text: String) {
            // Where standard error cannot be written there is nobody to show it to.
            try? Descriptor.standardError.writeAll(Array(text.utf8))
        }
    }
#endif

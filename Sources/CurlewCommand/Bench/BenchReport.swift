#if Tools
import Curlew

/// The result of a run, as text or JSON.
struct BenchReport {
    private let measurement: Measurement
    private let latencies: Latencies
    private let seconds: Double
    private let processorMicroseconds: Double
    /// In bytes; only for the benchmark of connections.
    var memoryPerClient: Int?

    /// The measured time ends now, unless the measurement says otherwise.
    init(_ measurement: Measurement, _ progress: Progress) {
        self.measurement = measurement
        self.latencies = progress.latencies
        if let start = progress.start {
            self.seconds = (measurement.end ?? .now).duration(from: start.instant)
            self.processorMicroseconds = ProcessUsage.processorMicroseconds - start.processorMicroseconds
        } else {
            (self.seconds, self.processorMicroseconds) = (0, 0)
        }
        self.memoryPerClient = measurement.memoryPerClient
    }

    /// The failure to report if messages are missing or were lost.
    var failure: CommandFailure? {
        if self.measurement.missing > 0 {
            let whole = self.measurement.count + self.measurement.missing
            let dropped = self.measurement.dropped
            return CommandFailure(
                "\(self.measurement.missing.grouped) of \(whole.grouped) messages did not arrive"
                    + (dropped == 0
                        ? "; check the topic and the number of messages sent."
                        : "; \(dropped.grouped) were dropped by this client because it could not keep up."))
        }
        guard let error = self.measurement.firstError else { return nil }
        guard self.measurement.lost > 1 else { return CommandFailure("1 message was lost: \(error.sentence)") }
        return CommandFailure(
            "\(self.measurement.lost.grouped) messages were lost. Reason for the first: \(error.sentence)")
    }

    private var rate: Double { self.seconds > 0 ? Double(self.measurement.count) / self.seconds : 0 }
    private var processorTimePerMessage: Double {
        self.measurement.count > 0 ? self.processorMicroseconds / Double(self.measurement.count) : 0
    }

    func write(asJSON: Bool) throws {
        let text = asJSON ? self.json : self.text
        do throws(SystemError) {
            try Descriptor.standardOutput.writeAll(Array((text + "\n").utf8))
        } catch {
            guard error != .brokenPipe else { return }
            throw CommandFailure("Standard output cannot be written: \(error).")
        }
    }

    // MARK: JSON

    var json: String {
        func number(_ value: Double?) -> String { value.map { $0.decimal(3) } ?? "null" }
        var fields = [
            ("count", "\(self.measurement.count)"), ("seconds", self.seconds.decimal(6)),
            ("rate", self.rate.decimal(1)), ("bytes", "\(self.measurement.bytes)"),
            ("p50_us", number(self.latencies.microseconds(atPercentile: 50))),
            ("p99_us", number(self.latencies.microseconds(atPercentile: 99))),
            ("max_us", number(self.latencies.maximum)), ("lost", "\(self.measurement.lost)"),
            ("reordered", "\(self.measurement.reordered)"),
            ("cpu_us_per_message", self.processorTimePerMessage.decimal(3)),
        ]
        if let memoryPerClient { fields.append(("memory_bytes_per_client", "\(memoryPerClient)")) }
        return "{" + fields.map { "\"\($0)\": \($1)" }.joined(separator: ", ") + "}"
    }

    // MARK: Text

    var text: String {
        let what = self.memoryPerClient == nil ? "messages" : "connections"
        var lines = [
            "\(self.measurement.count.grouped) \(what) in \(self.seconds.decimal(3)) s: "
                + "\(Int(self.rate).grouped) per second, "
                + "\(self.processorTimePerMessage.decimal(2)) µs of processor time each"
        ]
        if let memoryPerClient {
            lines.append("\((Double(memoryPerClient) / 1024).decimal(1)) KiB of memory for each, idle")
        } else {
            lines.append(
                "\(self.measurement.bytes.grouped) bytes, \(self.measurement.lost.grouped) lost, "
                    + "\(self.measurement.reordered.grouped) out of order")
        }
        if let maximum = self.latencies.maximum {
            let rows = [("p50", 50), ("p90", 90), ("p99", 99), ("p99.9", 99.9)].map { name, percent in
                (name, self.latencies.microseconds(atPercentile: percent) ?? 0)
            }
            for (name, value) in rows + [("max", maximum)] {
                lines.append("  " + Self.right(name, 5) + Self.right(Self.microseconds(value), 14))
            }
        }
        return lines.joined(separator: "\n")
    }

    private static func microseconds(_ value: Double) -> String {
        value < 10_000 ? "\(value.decimal(1)) µs" : "\((value / 1000).decimal(1)) ms"
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}

extension ContinuousClock.Instant {
    fileprivate func duration(from start: Self) -> Double { (self - start) / .seconds(1) }
}
#endif

#if Tools
import Curlew

/// What a run came to, for people and for scripts.
struct BenchReport {
    private let measurement: Measurement
    private let latencies: Latencies
    private let seconds: Double
    private let processorMicroseconds: Double
    /// In bytes; only where connections are all there is to measure.
    var memoryPerClient: Int?

    /// The time counts until now.
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

    /// What was lost for a reason that the client knows.
    var failure: Failure? {
        if self.measurement.missing > 0 {
            let whole = self.measurement.count + self.measurement.missing
            let dropped = self.measurement.dropped
            return Failure(
                "\(Self.grouped(self.measurement.missing)) of \(Self.grouped(whole)) messages did not come"
                    + (dropped == 0
                        ? "; check the topic, and whether as many were sent."
                        : "; \(Self.grouped(dropped)) came faster than they were counted, and were dropped here."))
        }
        guard let error = self.measurement.firstError else { return nil }
        guard self.measurement.lost > 1 else { return Failure("1 was lost: \(error.sentence)") }
        return Failure("\(Self.grouped(self.measurement.lost)) were lost; the first because: \(error.sentence)")
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
            throw Failure("Standard output cannot be written: \(error).")
        }
    }

    // MARK: JSON

    var json: String {
        func number(_ value: Double?) -> String { value.map { Self.decimal($0, 3) } ?? "null" }
        var fields = [
            ("count", "\(self.measurement.count)"), ("seconds", Self.decimal(self.seconds, 6)),
            ("rate", Self.decimal(self.rate, 1)), ("bytes", "\(self.measurement.bytes)"),
            ("p50_us", number(self.latencies.microseconds(atPercentile: 50))),
            ("p99_us", number(self.latencies.microseconds(atPercentile: 99))),
            ("max_us", number(self.latencies.maximum)), ("lost", "\(self.measurement.lost)"),
            ("reordered", "\(self.measurement.reordered)"),
            ("cpu_us_per_message", Self.decimal(self.processorTimePerMessage, 3)),
        ]
        if let memoryPerClient { fields.append(("memory_bytes_per_client", "\(memoryPerClient)")) }
        return "{" + fields.map { "\"\($0)\": \($1)" }.joined(separator: ", ") + "}"
    }

    // MARK: Text

    var text: String {
        let what = self.memoryPerClient == nil ? "messages" : "connections"
        var lines = [
            "\(Self.grouped(self.measurement.count)) \(what) in \(Self.decimal(self.seconds, 3)) s: "
                + "\(Self.grouped(Int(self.rate))) per second, "
                + "\(Self.decimal(self.processorTimePerMessage, 2)) µs of processor time each"
        ]
        if let memoryPerClient {
            lines.append("\(Self.decimal(Double(memoryPerClient) / 1024, 1)) KiB of memory for each, idle")
        } else {
            lines.append(
                "\(Self.grouped(self.measurement.bytes)) bytes, \(Self.grouped(self.measurement.lost)) lost, "
                    + "\(Self.grouped(self.measurement.reordered)) out of order")
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
        value < 10_000 ? "\(Self.decimal(value, 1)) µs" : "\(Self.decimal(value / 1000, 1)) ms"
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    /// With a comma between thousands.
    static func grouped(_ number: Int) -> String {
        var digits = Array(String(number.magnitude))
        var place = digits.count - 3
        while place > 0 {
            digits.insert(",", at: place)
            place -= 3
        }
        return (number < 0 ? "-" : "") + String(digits)
    }

    /// With so many digits after the point.
    static func decimal(_ value: Double, _ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = (value * scale).rounded()
        guard scaled.magnitude < 9e15 else { return "\(value)" }
        let text = String(Int(scaled.magnitude))
        let padded = String(repeating: "0", count: max(0, digits + 1 - text.count)) + text
        return (scaled < 0 ? "-" : "") + padded.dropLast(digits) + (digits > 0 ? "." + padded.suffix(digits) : "")
    }
}

extension ContinuousClock.Instant {
    fileprivate func duration(from start: Self) -> Double { (self - start) / .seconds(1) }
}
#endif

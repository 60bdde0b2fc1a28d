#if Tools
import ArgumentParser
import Curlew
import CurlewCore

/// `curlew bench conn`
struct BenchConnect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "conn",
        abstract: "Open connections, and report the rate and the memory they take.",
        discussion: """
            Opens -n connections (default: 1,000), --clients at a time (default: 50), and keeps them open until the end. \
            Reports the memory of this process per idle connection.
            """)

    @OptionGroup var options: BenchOptions

    func validate() throws {
        if let count = self.options.count?.count, count > 1_000_000 {
            throw ValidationError("-n must be at most 1000000")
        }
    }

    func run() async throws {
        let settings = try self.options.settings()
        try FileLimit.raise()
        let count = self.options.count?.count ?? 1000
        var options = self.options
        options.count = CountArgument(argument: "\(count)")
        let atOnce = min(self.options.clients?.count ?? 50, count)
        try await BenchRun.run(options, settings, connections: 1) { run in
            let connector = BenchConnector(settings: settings, progress: run.progress, count: count)
            return try await connector.run(atOnce: atOnce)
        }
    }
}

/// Creates clients and connects them.
private struct BenchConnector: Sendable {
    let settings: CommandSettings
    let progress: Progress
    let count: Int

    private struct Part: Sendable {
        var clients: [MQTTClient] = []
        var errors: [MQTTError] = []
    }

    func run(atOnce: Int) async throws -> Measurement {
        let before = ProcessUsage.residentBytes
        let whole = try await withThrowingTaskGroup(of: Part.self) { group in
            for first in 0..<atOnce {
                group.addTask { try await self.connect(stride(from: first, to: self.count, by: atOnce)) }
            }
            return try await group.reduce(into: Part()) { whole, part in
                whole.clients += part.clients
                whole.errors += part.errors
            }
        }
        let (end, after) = (ContinuousClock.now, ProcessUsage.residentBytes)
        var measurement = Measurement()
        measurement.end = end
        measurement.count = whole.clients.count
        for error in whole.errors { measurement.lose(error) }
        if let before, let after, !whole.clients.isEmpty {
            measurement.memoryPerClient = max(0, after - before) / whole.clients.count
        }
        await withTaskGroup { group in
            for client in whole.clients { group.addTask { await client.disconnect(drain: .zero) } }
        }
        return measurement
    }

    private func connect(_ indices: StrideTo<Int>) async throws -> Part {
        var part = Part()
        for index in indices {
            guard !self.progress.isOver else { break }
            let client = try MQTTClient(self.settings.configuration(ofClient: index + 1))
            let start = ContinuousClock.now
            do {
                try await client.connect()
                self.progress.latencies.record(.now - start)
                part.clients.append(client)
                _ = self.progress.countOne()
            } catch {
                let error = MQTTError(of: error)
                part.errors.append(error)
            }
        }
        return part
    }
}
#endif

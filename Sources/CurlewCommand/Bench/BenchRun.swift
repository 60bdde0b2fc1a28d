#if Tools
import Curlew
import CurlewCore
import NIOCore

/// One run of a benchmark.
struct BenchRun: Sendable {
    let clients: [MQTTClient]
    let progress: Progress

    /// Connects, runs `work`, prints the report and disconnects. A run that is cancelled reports what was done so far.
    ///
    /// - Parameters:
    ///   - connections: The number of clients to connect.
    ///   - isEndless: Whether Ctrl-C is the usual end.
    ///   - beginsByItself: Whether `work` starts the clock with `progress.begin()`.
    static func run(
        _ options: BenchOptions, _ settings: CommandSettings, connections: Int, isEndless: Bool = false,
        beginsByItself: Bool = false, _ work: @escaping @Sendable (BenchRun) async throws -> Measurement
    ) async throws {
        let limit = options.count?.count
        let duration = options.duration?.duration ?? (limit == nil && !isEndless ? .seconds(10) : nil)
        try await Conversation.run(settings, isEndless: isEndless) { conversation in
            let others = try (1..<connections).map { try MQTTClient(settings.configuration(ofClient: $0)) }
            let run = BenchRun(clients: [conversation.client] + others, progress: Progress(limit: limit))
            try await run.connect()
            if !beginsByItself { run.progress.begin() }
            let side = run.watch(duration)
            let result = await run.measure(work)
            side.cancel()
            await side.value
            let report = try BenchReport(result.get(), run.progress)
            try report.write(asJSON: options.isJSON)
            await run.disconnect(others)
            if let failure = report.failure { throw failure }
            if Task.isCancelled, !isEndless { throw CancellationError() }
        }
    }

    private func measure(
        _ work: @Sendable (BenchRun) async throws -> Measurement
    ) async -> Result<Measurement, any Error> {
        await withTaskCancellationHandler {
            defer { self.progress.finish() }
            do {
                var measurement = try await work(self)
                if measurement.end == nil { measurement.end = .now }
                return .success(measurement)
            } catch {
                return .failure(error)
            }
        } onCancel: {
            self.progress.finish()
        }
    }

    /// Ends the run after `duration`, and shows the current rate during the run.
    private func watch(_ duration: Duration?) -> Task<Void, Never> {
        Task { [progress] in
            await withTaskGroup { group in
                if let duration {
                    group.addTask {
                        do { try await Task.sleep(for: duration) } catch { return }
                        progress.finish()
                    }
                }
                group.addTask { await LiveRate.show(progress) }
            }
        }
    }

    // MARK: Clients

    /// Runs `body` for each client on the client's own thread, and adds the measurements.
    func onEachClient(
        _ body: @escaping @Sendable (_ client: MQTTClient, _ index: Int) async -> Measurement
    ) async -> Measurement {
        await withTaskGroup(of: Measurement.self) { group in
            for (index, client) in self.clients.enumerated() {
                group.addTask(executorPreference: client.executor) { await body(client, index) }
            }
            return await group.reduce(into: Measurement()) { $0.add($1) }
        }
    }

    /// The number of messages for one client out of `number`.
    func share(of index: Int, in number: Int) -> Int {
        guard let limit = self.progress.limit else { return .max }
        return limit / number + (index < limit % number ? 1 : 0)
    }

    private func connect() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, client) in self.clients.enumerated() {
                if index >= 50 { try await group.next() }
                group.addTask { try await client.connect() }
            }
            try await group.waitForAll()
        }
    }

    private func disconnect(_ clients: [MQTTClient]) async {
        await withTaskGroup { group in
            for client in clients { group.addTask { await client.disconnect(drain: .zero) } }
        }
    }
}

extension CommandSettings {
    /// The configuration of a further client, with its own client identifier.
    func configuration(ofClient index: Int) -> MQTTConfiguration {
        var configuration = self.configuration
        if case .given(let name) = configuration.clientIdentifier.kind {
            configuration.clientIdentifier = .given("\(name)-\(index)")
        }
        return configuration
    }
}
#endif

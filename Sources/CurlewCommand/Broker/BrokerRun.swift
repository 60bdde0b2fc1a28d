#if Tools
import Curlew
import CurlewBroker
import CurlewTransport
import Logging
import UnixSignals

/// What the command needs from a broker.
protocol RunnableBroker: Sendable {
    /// Listens.
    func start() async throws
    /// Reads the files about clients again.
    func reload() async throws
    /// Stops listening and disconnects all clients.
    func stop() async
    /// The ports that it listens on, in the order of the configuration.
    var ports: [Int] { get async }
}

/// One run of a broker: it listens, reloads its files at SIGHUP, and stops at SIGINT or SIGTERM.
struct BrokerRun: Sendable {
    private let broker: any RunnableBroker
    private let addresses: [ListenerAddress]
    private let warnings: [String]
    private let settingName: @Sendable (_ listener: Int, TLSSetting) -> String
    private let sink: LogSink
    private let logger: Logger
    private let announce: @Sendable (String) -> Void
    private let tellReady: @Sendable () -> Void

    /// - Parameters:
    ///   - early: The log lines that were written while the plan was made.
    ///   - announce: Called with a line for each listener once the broker listens.
    ///   - tellReady: Called when the broker listens.
    ///   - standardOutput: Writes the log to standard output, if the plan says so.
    ///   - makeBroker: Makes a broker that does not run yet.
    init(
        _ plan: BrokerPlan, hasColour: Bool, early: EarlyLog = EarlyLog(),
        announce: @escaping @Sendable (String) -> Void,
        tellReady: @escaping @Sendable () -> Void = {},
        standardOutput: LineWriter = LineWriter(.standardOutput),
        makeBroker: (MQTTBrokerConfiguration, Logger) -> any RunnableBroker
    ) throws {
        let sink = try LogSink(plan.log.destinations, hasColour: hasColour, standardOutput: standardOutput)
        let write: @Sendable (LogLine) -> Void = { sink.write($0) }
        self.logger = Logger(label: "curlew.broker") { _ in LineLogHandler(kinds: plan.log.kinds, write: write) }
        early.attach(self.logger)
        var configuration = plan.configuration
        if let subscriptions = SubscriptionLog(kinds: plan.log.kinds, write: write) {
            configuration.observers.append(subscriptions)
        }
        self.broker = makeBroker(configuration, self.logger)
        self.addresses = plan.addresses
        self.warnings = plan.warnings
        self.settingName = plan.settingName
        self.sink = sink
        self.announce = announce
        self.tellReady = tellReady
    }

    /// Runs until a signal ends it.
    ///
    /// - Throws: If it cannot listen.
    func run() async throws(CommandFailure) {
        // Before anybody can see that the broker runs: until they are trapped, these signals end the process.
        let signals = await UnixSignalsSequence(trapping: .sighup, .sigint, .sigterm)
        try await self.run(signals)
    }

    func run<Signals: AsyncSequence & Sendable>(_ signals: Signals) async throws(CommandFailure)
    where Signals.Element == UnixSignal, Signals.Failure == Never {
        do {
            try await self.broker.start()
        } catch {
            let error = MQTTBrokerError(of: error)
            await self.sink.finish(within: Self.timeToWriteLog)
            throw CommandFailure(error.message(naming: self.settingName))
        }
        for (address, port) in zip(self.addresses, await self.broker.ports) {
            self.announce("listening on \(address.url(bound: port))")
        }
        self.tellReady()
        for warning in self.warnings { self.logger.warning("\(warning)") }
        await withTaskGroup { group in
            let end = OneShot<Void>()
            group.addTask { await self.follow(signals, end) }
            _ = await end.wait()
            await self.broker.stop()
            await self.sink.finish(within: Self.timeToWriteLog)
            group.cancelAll()
        }
    }

    /// How long the broker, when it stops, waits until its log is written.
    private static let timeToWriteLog = Duration.seconds(1)

    private func follow<Signals: AsyncSequence>(_ signals: Signals, _ end: OneShot<Void>) async
    where Signals.Element == UnixSignal, Signals.Failure == Never {
        for await signal in signals {
            if signal == .sighup {
                await self.reload()
            } else if end.value == nil {
                end.set(())
            } else {
                // A second signal means: do not wait for an orderly end.
                abandonProcess(CommandFailure.general)
            }
        }
    }

    private func reload() async {
        do { try self.sink.reopen() } catch { self.logger.error("The log file was not reopened", error: error) }
        do {
            try await self.broker.reload()
            self.logger.notice("Files reloaded")
        } catch {
            let reason = (error as? MQTTBrokerError)?.message(naming: self.settingName) ?? "\(error)"
            self.logger.error(
                "Some files were not reloaded; their former content stays in force", metadata: ["error": "\(reason)"])
        }
    }
}
#endif

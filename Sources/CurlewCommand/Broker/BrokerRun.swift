#if Tools
import Curlew
import CurlewBroker
import CurlewTransport
import Logging
import UnixSignals

/// What the command needs of a broker.
protocol RunnableBroker: Sendable {
    /// Listens.
    func start() async throws(MQTTBrokerError)
    /// Reads anew what files say about clients.
    func reload() async throws
    /// Says goodbye to all clients, and listens no more.
    func stop() async
    /// The ports that it listens on, in the order of the configuration.
    var ports: [Int] { get async }
}

/// One run of a broker: from listening, over signals that have files read anew, to the signal that ends it.
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
    ///   - early: What was logged while the plan was made.
    ///   - announce: Is told where the broker listens, a line for each listener.
    ///   - tellReady: Is called when the broker listens.
    ///   - standardOutput: What writes the log to standard output, if it goes there.
    ///   - makeBroker: Makes a broker that is not running yet.
    init(
        _ plan: BrokerPlan, hasColour: Bool, early: EarlyLog = EarlyLog(),
        announce: @escaping @Sendable (String) -> Void,
        tellReady: @escaping @Sendable () -> Void = {},
        standardOutput: LineWriter = LineWriter(.standardOutput),
        makeBroker: (MQTTBrokerConfiguration) -> any RunnableBroker
    ) throws {
        let sink = try LogSink(plan.log.destinations, hasColour: hasColour, standardOutput: standardOutput)
        let write: @Sendable (LogLine) -> Void = { sink.write($0) }
        self.logger = Logger(label: "curlew.broker") { _ in LineLogHandler(kinds: plan.log.kinds, write: write) }
        early.attach(self.logger)
        var configuration = plan.configuration
        configuration.logger = self.logger
        if let subscriptions = SubscriptionLog(kinds: plan.log.kinds, write: write) {
            configuration.observers.append(subscriptions)
        }
        self.broker = makeBroker(configuration)
        self.addresses = plan.addresses
        self.warnings = plan.warnings
        self.settingName = plan.settingName
        self.sink = sink
        self.announce = announce
        self.tellReady = tellReady
    }

    /// Runs until a signal ends it.
    ///
    /// - Throws: What keeps it from listening.
    func run() async throws(Failure) {
        // Before anybody is told that the broker is there: until they are trapped, these signals end the process.
        let signals = await UnixSignalsSequence(trapping: .sighup, .sigint, .sigterm)
        try await self.run(signals)
    }

    func run<Signals: AsyncSequence & Sendable>(_ signals: Signals) async throws(Failure)
    where Signals.Element == UnixSignal, Signals.Failure == Never {
        do throws(MQTTBrokerError) {
            try await self.broker.start()
        } catch {
            await self.sink.finish(within: Self.timeToWriteLog)
            throw Failure(error.message(naming: self.settingName))
        }
        for (address, port) in zip(self.addresses, await self.broker.ports) {
            self.announce("listening on \(address.url(bound: port))")
        }
        self.tellReady()
        for warning in self.warnings { self.logger.warning("\(warning)") }
        let end = OneShot<Void>()
        Task {
            for await signal in signals {
                if signal == .sighup {
                    await self.reload()
                } else if end.value == nil {
                    end.set(())
                } else {
                    // Who asks twice does not want to wait for an orderly end.
                    abandonProcess(Failure.general)
                }
            }
        }
        _ = await end.wait()
        await self.broker.stop()
        await self.sink.finish(within: Self.timeToWriteLog)
    }

    /// How long the end waits for a log that nobody reads.
    private static let timeToWriteLog = Duration.seconds(1)

    private func reload() async {
        do { try self.sink.reopen() } catch { self.logger.error("The log file was not opened again", error: error) }
        do {
            try await self.broker.reload()
            self.logger.notice("Files were read again")
        } catch {
            let reason = (error as? MQTTBrokerError)?.message(naming: self.settingName) ?? "\(error)"
            self.logger.error(
                "Files were read again, except these, which stay as they were", metadata: ["error": "\(reason)"])
        }
    }
}
#endif

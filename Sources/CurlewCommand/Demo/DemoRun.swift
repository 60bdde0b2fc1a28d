#if Tools
import Curlew
import CurlewBroker
import CurlewTransport
import UnixSignals

/// One run of the demo: a broker, its devices and a console that observes them, from the first connection to the
/// summary.
struct DemoRun: Sendable {
    private let sensors: [DemoSensor]
    private let port: Int
    /// How long it runs; `nil` until a signal ends it.
    private let limit: Duration?
    private let output: DemoOutput

    init(devices: Int, port: Int, limit: Duration?, descriptor: Descriptor) {
        self.sensors = DemoSensor.fleet(devices)
        self.port = port
        self.limit = limit
        self.output = DemoOutput(descriptor, names: self.sensors.map(\.name))
    }

    /// Runs until the time has passed or a signal arrives.
    ///
    /// - Throws: What went wrong, after everything was stopped in order; ``SystemError`` if the output cannot be
    ///   written.
    func run() async throws {
        // Before anybody can see that the demo runs: until they are trapped, these signals end the process.
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        let end = DemoEnd()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await Self.watch(signals, end) }
            defer { group.cancelAll() }
            try await self.run(until: end)
        }
    }

    private static func watch(_ signals: UnixSignalsSequence, _ end: DemoEnd) async {
        for await _ in signals {
            // A second signal means: do not wait for an orderly end.
            if end.value != nil { abandonProcess(CommandFailure.general) }
            end.set(.success(()))
        }
    }

    private func run(until end: DemoEnd) async throws {
        let broker = MQTTBroker(MQTTBrokerConfiguration(listeners: [.tcp(port: self.port)]))
        do { try await broker.start() } catch { throw CommandFailure(MQTTBrokerError(of: error).message) }
        do {
            try await self.run(on: broker, until: end)
        } catch {
            await broker.stop()
            throw (error as? MQTTError).map { CommandFailure($0) as any Error } ?? error
        }
        await broker.stop()
    }

    private func run(on broker: MQTTBroker, until end: DemoEnd) async throws {
        let port = await broker.listeners.first?.port ?? 0
        let server = MQTTConfiguration.Server.mqtt("127.0.0.1", port: port)
        let console = try DemoConsole(self.output, server: server)
        let devices = try self.sensors.enumerated().map { index, sensor in
            try DemoDevice(
                sensor, server: server, delay: .seconds(1) * index / self.sensors.count, absence: .seconds(2))
        }
        try await self.output.write(self.introduction(port))
        let messages = try await console.join()
        let watching = Task { await end.reporting { try await console.watch(messages) } }
        let working = Task { await end.reporting { try await self.work(devices, console) } }
        let outcome =
            if let limit { await end.wait(within: limit) ?? .success(()) } else { await end.wait() ?? .success(()) }
        // From here on, a signal means: do not wait for an orderly end.
        end.set(outcome)

        working.cancel()
        _ = await working.value
        await withTaskGroup { group in
            for device in devices { group.addTask { await device.leave() } }
        }
        if case .success = outcome { await console.waitUntilAllAreGone(within: .seconds(2)) }
        await console.leave()
        // The console reads what is left, and stops by itself now that its client has disconnected.
        let watched = await watching.value
        try outcome.get()
        try watched.get()
        try await console.sumUp()
    }

    /// Runs the devices, and the requests and interruptions they get, until the task is cancelled.
    private func work(_ devices: [DemoDevice], _ console: DemoConsole) async throws {
        try await withThrowingTaskGroup { group in
            for device in devices { group.addTask { try await device.live() } }
            group.addTask { try await console.ask(devices.map(\.name)) }
            group.addTask { try await console.disturb(devices) }
            try await group.waitForAll()
        }
    }

    private func introduction(_ port: Int) -> String {
        // The path by which it was called, so that the line works when it is copied.
        let command = CommandLine.arguments.first ?? "curlew"
        return """
            Broker on mqtt://127.0.0.1:\(port), with \(self.sensors.count.counted("device")).
            Press Ctrl-C to stop. Join in from another terminal:
                \(command) sub -p \(port) -t 'fleet/#' -v
                \(command) request -p \(port) -t \(DemoDevice.questionTopic(self.sensors.first?.name ?? "+")) -m mean

            """
    }
}

/// The end of the demo: success by a signal or the time limit, or the first failure of one of its parts.
private typealias DemoEnd = OneShot<Result<Void, any Error>>

extension DemoEnd {
    /// Runs a part of the demo, whose failure is the end of the demo.
    fileprivate func reporting(_ part: () async throws -> Void) async -> Result<Void, any Error> {
        do {
            try await part()
            return .success(())
        } catch {
            self.set(.failure(error))
            return .failure(error)
        }
    }
}
#endif

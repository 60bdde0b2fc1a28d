#if Tools
import Curlew
import CurlewBroker
import CurlewTransport
import UnixSignals

/// One run of the demo: a broker, its fleet and somebody who watches, from the first connection to the summing-up.
struct DemoRun: Sendable {
    private let sensors: [DemoSensor]
    private let port: Int
    /// How long it goes on; `nil` until a signal ends it.
    private let limit: Duration?
    private let output: DemoOutput

    init(devices: Int, port: Int, limit: Duration?, descriptor: Descriptor) {
        self.sensors = DemoSensor.fleet(devices)
        self.port = port
        self.limit = limit
        self.output = DemoOutput(descriptor, names: self.sensors.map(\.name))
    }

    /// Runs until the time is over or a signal comes.
    ///
    /// - Throws: What has gone wrong, after everything has been ended in order; ``SystemError`` when nothing can be written.
    func run() async throws {
        // Before anybody knows that it is there: until they are trapped, these signals end the process.
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        let end = OneShot<Result<Void, any Error>>()
        Task {
            for await _ in signals {
                // Who asks twice does not want to wait for an orderly end.
                if end.value != nil { abandonProcess(Failure.general) }
                end.set(.success(()))
            }
        }
        let broker = MQTTBroker(MQTTBrokerConfiguration(listeners: [.tcp(port: self.port)]))
        do throws(MQTTBrokerError) { try await broker.start() } catch { throw Failure(error.message) }
        do {
            try await self.run(on: broker, end)
        } catch {
            await broker.stop()
            throw (error as? MQTTError).map { Failure($0) as any Error } ?? error
        }
        await broker.stop()
    }

    private func run(on broker: MQTTBroker, _ end: OneShot<Result<Void, any Error>>) async throws {
        let port = await broker.listeners.first?.port ?? 0
        let server = MQTTConfiguration.Server.mqtt("127.0.0.1", port: port)
        let console = try DemoConsole(self.output, server: server)
        let devices = try self.sensors.enumerated().map { index, sensor in
            try DemoDevice(
                sensor, server: server, delay: .seconds(1) * index / self.sensors.count, absence: .seconds(2))
        }
        try await self.output.write(self.introduction(port))
        let messages = try await console.join()
        let watching = Task { try await console.watch(messages) }
        let working = Task { try await self.work(devices, console) }
        Task { if case .failure(let error) = await watching.result { end.set(.failure(error)) } }
        Task { if case .failure(let error) = await working.result { end.set(.failure(error)) } }
        let deadline = self.limit.map { limit in
            Task {
                try await Task.sleep(for: limit)
                end.set(.success(()))
            }
        }
        let outcome = await end.wait() ?? .success(())

        deadline?.cancel()
        working.cancel()
        _ = await working.result
        await withTaskGroup { group in
            for device in devices { group.addTask { await device.leave() } }
        }
        if case .success = outcome { await console.waitUntilAllAreGone(within: .seconds(2)) }
        await console.leave()
        let watched = await watching.result
        try outcome.get()
        try watched.get()
        try await console.sumUp()
    }

    /// The fleet lives, is asked and is disturbed, until the task is cancelled.
    private func work(_ devices: [DemoDevice], _ console: DemoConsole) async throws {
        try await withThrowingTaskGroup { group in
            for device in devices { group.addTask { try await device.live() } }
            group.addTask { try await console.ask(devices.map(\.name)) }
            group.addTask { try await console.disturb(devices) }
            try await group.waitForAll()
        }
    }

    private func introduction(_ port: Int) -> String {
        let fleet = self.sensors.count == 1 ? "1 device" : "\(self.sensors.count) devices"
        // As it was called, so that the line works where it is copied to.
        let command = CommandLine.arguments.first ?? "curlew"
        return """
            A broker on mqtt://127.0.0.1:\(port), a fleet of \(fleet), and questions to it.
            Ctrl-C ends it. Join in from another terminal:
                \(command) sub -p \(port) -t 'fleet/#' -v
                \(command) request -p \(port) -t \(DemoDevice.questionTopic(self.sensors.first?.name ?? "+")) -m mean

            """
    }
}
#endif

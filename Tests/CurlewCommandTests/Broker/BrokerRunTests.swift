#if Tools
import CurlewBroker
import Synchronization
import Testing
import UnixSignals

@testable import CurlewCommand

@Suite("Running the broker", .timeLimit(.minutes(2)))
struct BrokerRunTests {
    /// Records its calls, and has fixed ports.
    final class SpokenBroker: RunnableBroker {
        let configuration: MQTTBrokerConfiguration
        let ports = [1001, 1002]
        let failure: MQTTBrokerError?
        private let state = Mutex<[String]>([])

        var said: [String] { self.state.withLock { $0 } }

        init(_ configuration: MQTTBrokerConfiguration, failure: MQTTBrokerError? = nil) {
            self.configuration = configuration
            self.failure = failure
        }

        func start() async throws {
            if let failure { throw failure }
            self.state.withLock { $0.append("start") }
        }

        func reload() async throws { self.state.withLock { $0.append("reload") } }

        func stop() async { self.state.withLock { $0.append("stop") } }
    }

    private static let plan = BrokerPlan(
        configuration: MQTTBrokerConfiguration(listeners: [.tcp(port: 0), .tcp(port: 0)]),
        addresses: [
            ListenerAddress(scheme: .mqtt, host: "127.0.0.1", port: 0),
            ListenerAddress(scheme: .mqtts, host: "::1", port: 0),
        ])

    @Test("It announces its listeners, reloads at SIGHUP, and stops at SIGTERM")
    func lines() async throws {
        let (signals, sender) = AsyncStream<UnixSignal>.makeStream()
        let (lines, writer) = AsyncStream<String>.makeStream()
        let broker = Mutex<SpokenBroker?>(nil)
        let run = try BrokerRun(Self.plan, hasColour: false, announce: { writer.yield($0) }) { configuration, _ in
            let made = SpokenBroker(configuration)
            broker.withLock { $0 = made }
            return made
        }
        async let end: Void = run.run(signals)
        var iterator = lines.makeAsyncIterator()
        #expect(await iterator.next() == "listening on mqtt://127.0.0.1:1001")
        #expect(await iterator.next() == "listening on mqtts://[::1]:1002")
        sender.yield(.sighup)
        sender.yield(.sigterm)
        try await end
        let said = try #require(broker.withLock { $0 }).said
        #expect(said == ["start", "reload", "stop"])
    }

    @Test("If it cannot listen, the error is one sentence, and no listener is announced")
    func failure() async throws {
        let error = MQTTBrokerError(.listeningFailed, "Port 1883 is in use.")
        let run = try BrokerRun(Self.plan, hasColour: false, announce: { Issue.record("announced \($0)") }) {
            configuration, _ in
            SpokenBroker(configuration, failure: error)
        }
        let failure = await #expect(throws: CommandFailure.self) { try await run.run(AsyncStream { $0.finish() }) }
        #expect(failure == CommandFailure("Port 1883 is in use.", exitCode: 1))
    }

    @Test("Logging of subscriptions adds an observer")
    func observers() throws {
        var plan = Self.plan
        plan.log.logEverything()
        let observers = Mutex<[Int]>([])
        for plan in [Self.plan, plan] {
            _ = try BrokerRun(plan, hasColour: false, announce: { _ in }) { configuration, _ in
                observers.withLock { $0.append(configuration.observers.count) }
                return SpokenBroker(configuration)
            }
        }
        #expect(observers.withLock { $0 } == [0, 1])
    }
}
#endif

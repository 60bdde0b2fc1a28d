#if Tools
import Curlew
import CurlewCore
import CurlewTransport
import UnixSignals

/// One run of a subcommand against a server: what it does, and all that can cut it short.
struct Conversation: Sendable {
    let client: MQTTClient
    private let settings: Settings
    private let end = OneShot<End>()
    /// What came of the body, before it has said goodbye to the broker.
    private let outcome = OneShot<Result<Void, any Error>>()

    /// Whether to behave as the command of mosquitto by whose name it was called.
    var isMosquitto: Bool { self.settings.isMosquitto }

    /// How a run ends.
    private enum End: Sendable {
        case finished(Result<Void, any Error>)
        case interrupted(UnixSignal)
        case timeIsOver(Duration, isConnected: Bool)
        /// The connection was lost, for so long.
        case lost(MQTTError, Duration)
        /// The client has given up.
        case stopped(MQTTError)
    }

    /// Runs `body` and disconnects, until the time is over or a signal comes.
    ///
    /// - Parameters:
    ///   - settings: Whom to talk to.
    ///   - isEndless: Whether a signal is the usual end of the subcommand, and so a success.
    ///   - body: Connects and does what the subcommand is for. A cancelled one must return soon, and may throw a `Failure`
    ///     that says what was left undone.
    static func run(
        _ settings: Settings, isEndless: Bool = false,
        _ body: @escaping @Sendable (Conversation) async throws -> Void
    ) async throws {
        let conversation = try Conversation(settings)
        // First of all: whoever sees that the run has begun may send a signal.
        await conversation.watchSignals()
        let work = Task {
            var result = Result<Void, any Error>.success(())
            do { try await body(conversation) } catch { result = .failure(conversation.explained(error)) }
            conversation.outcome.set(result)
            var drain: Duration?
            if case .failure = result { drain = .zero }
            await conversation.disconnect(drain: drain)
            conversation.end.set(.finished(result))
            return result
        }
        conversation.watchTime()
        conversation.watchEvents(isEndless)
        let end = await conversation.end.wait() ?? .finished(.success(()))
        if case .finished = end {} else { work.cancel() }
        try await conversation.conclude(end, work, isEndless)
    }

    private init(_ settings: Settings) throws {
        self.settings = settings
        var configuration = settings.configuration
        do throws(MQTTError) {
            if settings.isTracing { try configuration.trace() }
            self.client = try MQTTClient(configuration)
        } catch {
            throw Failure(error)
        }
    }

    // MARK: For the body

    /// Connects. From then on a client that gives up ends the run.
    func connect() async throws {
        let notice = self.noticeOfSlowConnection()
        defer { notice?.cancel() }
        do { try await self.client.connect() } catch {
            let error = MQTTError(of: error)
            throw self.connectionFailure(error)
        }
        Task { [client, end] in
            do { try await client.waitUntilStopped() } catch { end.set(.stopped(MQTTError(of: error))) }
        }
    }

    /// Tells a person at a terminal what takes so long.
    private func noticeOfSlowConnection() -> Task<Void, any Error>? {
        guard !self.isMosquitto, Descriptor.standardError.isTerminal else { return nil }
        let servers = self.settings.configuration.servers.map { "\($0.host):\($0.port)" }
        return Task {
            try await Task.sleep(for: .seconds(1))
            Diagnostics.say("Connecting to \(servers.joined(separator: ", then ")) …")
        }
    }

    /// Why there is no first connection, with what the options have to do with it.
    private func connectionFailure(_ error: MQTTError) -> MQTTError {
        var error = error
        let isUnreachable = (error.cause as? TransportError)?.code == .hostUnreachable
        if isUnreachable, let address = self.settings.configuration.connection.localAddress {
            error.message += " With -A, \(address) must be an address of this machine."
        }
        let count = self.settings.configuration.servers.count
        // A refusal may be for good, and then the others are not asked.
        if count > 1, error.code != .cancelled, error.code != .connectionRefused {
            error.message = "None of the \(count) brokers can be used; the last one tried: \(error.message)"
        }
        return error
    }

    /// Says goodbye, and ends the session at the server unless somebody wants it kept.
    func disconnect(drain: Duration? = nil) async {
        await self.client.disconnect(drain: drain, sessionExpiry: self.settings.finalExpiry)
    }

    // MARK: What cuts it short

    private func watchSignals() async {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        Task { [end] in
            for await signal in signals {
                // Who asks twice does not want to wait for an orderly end.
                if end.value != nil {
                    Diagnostics.say("Ended at once; what became of messages under way is unknown.")
                    abandonProcess(128 + signal.number)
                }
                end.set(.interrupted(signal))
            }
        }
    }

    private func watchTime() {
        guard let limit = self.settings.timeLimit else { return }
        Task { [client, end] in
            try await Task.sleep(for: limit)
            end.set(.timeIsOver(limit, isConnected: client.state == .connected))
        }
    }

    /// Tells the person what happens to the connection: a silent command looks like one that has nothing to say. Ends a command
    /// whose connection does not come back in time, or makes no sense.
    private func watchEvents(_ isEndless: Bool) {
        Task { [client, end, settings] in
            var outage = Outage()
            var patience: Task<Void, any Error>?
            for await event in client.events {
                switch event {
                case .disconnected(let error):
                    guard outage.began(error) else {
                        end.set(.stopped(error ?? MQTTError(.connectionClosed, "The connection was lost.")))
                        break
                    }
                    guard !isEndless, let error, let limit = settings.patience else { break }
                    patience = Task {
                        try await Task.sleep(for: limit)
                        end.set(.lost(error, limit))
                    }
                case .reconnecting(_, _, let error):
                    if outage.isUnderWay, error.code == .connectionRefused,
                        settings.isMosquitto || error.isForGood
                    {
                        end.set(.stopped(error))
                    } else if let news = outage.news(of: error) {
                        Diagnostics.say(news)
                    }
                case .connected(_, _, let isResumed):
                    patience?.cancel()
                    guard outage.ended() else { break }
                    Diagnostics.say(
                        isEndless && !isResumed
                            ? "Reconnected; the broker has not kept the session, so messages in between may be missing."
                            : "Reconnected.")
                case .protocolDeviation(let text): Diagnostics.say(text)
                case .messagesDropped(_, let count):
                    Diagnostics.say(
                        "\(count) messages were dropped, because they came faster than they could be written.")
                case .messagesUnclaimed(let topics, let count):
                    let names = topics.map { "'\($0)'" }.joined(separator: ", ")
                    Diagnostics.say(
                        "\(count) messages came that nobody had asked for, and were acknowledged: on \(names).")
                case .messageLeftOut(_, let error):
                    let sentence = error.sentence.replacing(
                        "raise `session.maximumPacketSize`", with: "raise the maximum packet size that was set")
                    Diagnostics.say("\(sentence) It was left out.")
                default: break
                }
            }
        }
    }

    // MARK: The end

    /// A time that is over because there is no connection tells less than that there is none.
    private func explained(_ error: any Error) -> any Error {
        guard self.client.state == .reconnecting, let patience = self.settings.patience else { return error }
        switch error {
        case let error as MQTTError where error.code == .timedOut:
            let lost = MQTTError(.timedOut, Self.lost(for: patience), delivery: error.delivery)
            return Failure(lost.sentence, exitCode: Failure.connectionLost)
        case let failure as Failure where failure.exitCode == Failure.timeOut:
            let message = failure.message.map { ". \($0)" } ?? "."
            return Failure(Self.lost(for: patience) + message, exitCode: Failure.connectionLost)
        default: return error
        }
    }

    private static func lost(for limit: Duration) -> String {
        "The connection was lost, and could not be made again within \(limit)"
    }

    private func conclude(_ end: End, _ work: Task<Result<Void, any Error>, Never>, _ isEndless: Bool) async throws {
        switch end {
        case .finished(.success): return
        case .finished(.failure(let error)): throw self.failure(error) ?? Failure(nil)
        case .interrupted(let signal):
            let wasConnecting = self.client.state == .connecting && !self.isMosquitto
            let rest = await self.rest(of: work, within: .seconds(5))
            if isEndless, rest == nil, !wasConnecting { return }
            let message = rest?.message ?? (wasConnecting && isEndless ? "There was no connection yet." : nil)
            throw Failure(message, exitCode: 128 + signal.number)
        case .timeIsOver(let limit, let isConnected):
            let rest = await self.rest(of: work, within: .seconds(1))
            let reason = rest?.message ?? (isConnected ? nil : "There is no connection to the broker.")
            let message = "The time of \(limit) is over" + (reason.map { ": \($0)" } ?? ".")
            throw Failure(message, exitCode: Failure.timeOut)
        case .lost(let error, let limit):
            let rest = await self.rest(of: work, within: .seconds(1))
            let message = "\(Self.lost(for: limit)): \(error.sentence)"
            throw Failure(
                rest?.message.map { "\(message) \($0)" } ?? message, exitCode: Failure.connectionLost)
        case .stopped(let error):
            let rest = await self.rest(of: work, within: .seconds(1))
            let reason = Failure(error, version: self.settings.version)
            // What was left undone is mostly so for the same reason.
            if let message = rest?.message {
                guard reason.message.map(message.contains) != true else {
                    throw Failure(message, exitCode: reason.exitCode)
                }
                Diagnostics.say(message)
            }
            throw reason
        }
    }

    /// What a body that was cut short has left undone; `nil` where there is nothing to say. A server that does not let go, or
    /// an output that nobody reads, is waited for no longer than `limit`.
    private func rest(of work: Task<Result<Void, any Error>, Never>, within limit: Duration) async -> Failure? {
        let rest = OneShot<Void>()
        let goodbye = Task {
            _ = await work.value
            rest.set(())
        }
        Task {
            try await Task.sleep(for: limit)
            rest.set(())
        }
        await rest.wait()
        goodbye.cancel()
        guard let outcome = self.outcome.value else {
            return Failure("The command did not come to an orderly end; what was under way is unknown.")
        }
        guard case .failure(let error) = outcome else { return nil }
        return self.failure(error)
    }

    /// `nil` for what is no news: that the run was cut short.
    private func failure(_ error: any Error) -> Failure? {
        switch error {
        case let failure as Failure: failure
        case let error as MQTTError where error.code == .cancelled:
            switch error.delivery {
            case .notSent: Failure("The message was not sent.")
            case .unknown: Failure("Whether the message was delivered is unknown.")
            case nil: nil
            }
        case let error as MQTTError: Failure(error, version: self.settings.version)
        case is CancellationError: nil
        default: Failure("\(error)")
        }
    }
}

extension MQTTError {
    /// Whether a broker that refuses the connection so will do so again. Mosquitto's commands take any refusal for that.
    fileprivate var isForGood: Bool { self.reasonCode == .serverMoved || self.reasonCode == .useAnotherServer }
}

extension UnixSignal {
    /// As the exit code of a shell counts it.
    fileprivate var number: Int32 {
        switch self {
        case .sigint: 2
        case .sigterm: 15
        default: 0
        }
    }
}
#endif

#if Tools
import Curlew
import CurlewCore
import CurlewTransport
import UnixSignals

/// One run of a subcommand: its connection to the broker, its work, and everything that can end it early.
struct Conversation: Sendable {
    let client: MQTTClient
    private let settings: CommandSettings
    /// Set by whatever ends the run first.
    private let end = OneShot<End>()
    /// Set when the first connection is made.
    private let connected = OneShot<Void>()
    /// The result of the body, before the client disconnects.
    private let outcome = OneShot<Result<Void, any Error>>()
    /// Set when the body has ended and the client has disconnected.
    private let workIsDone = OneShot<Void>()

    /// Whether to behave like the mosquitto command by whose name this one was called.
    var isMosquitto: Bool { self.settings.isMosquitto }

    /// How a run ends.
    private enum End: Sendable {
        case finished(Result<Void, any Error>)
        case interrupted(UnixSignal)
        case timeIsOver(Duration, isConnected: Bool)
        /// The connection was lost and did not come back within this time.
        case lost(MQTTError, Duration)
        /// The client has given up.
        case stopped(MQTTError)
    }

    /// Runs `body` and disconnects. A signal, the time limit of `-W` or the loss of the connection cancels `body`.
    ///
    /// - Parameters:
    ///   - settings: Which broker to connect to, and how.
    ///   - isEndless: Whether a signal is the usual end of the subcommand, and so a success.
    ///   - body: Connects and does the work of the subcommand. It must return soon after it is cancelled, and may throw
    ///     a `CommandFailure` that says what was not done.
    static func run(
        _ settings: CommandSettings, isEndless: Bool = false,
        _ body: @escaping @Sendable (Conversation) async throws -> Void
    ) async throws {
        let conversation = try Conversation(settings)
        // Before anything else: as soon as others can see that the command runs, they may send it a signal.
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await conversation.watch(signals) }
            group.addTask { await conversation.watchTime() }
            group.addTask { await conversation.watchEvents(isEndless) }
            group.addTask { await conversation.watchClient() }
            defer { group.cancelAll() }
            // Not in the group, which would wait for it: work that ignores its cancellation is abandoned when the
            // process exits.
            let work = Task { await conversation.work(body) }
            let end = await conversation.end.wait() ?? .finished(.success(()))
            if case .finished = end {} else { work.cancel() }
            try await conversation.conclude(end, isEndless)
        }
    }

    private init(_ settings: CommandSettings) throws {
        self.settings = settings
        var configuration = settings.configuration
        do throws(MQTTError) {
            if settings.isTracing { try configuration.trace() }
            self.client = try MQTTClient(configuration)
        } catch {
            throw CommandFailure(error)
        }
    }

    private func work(_ body: (Conversation) async throws -> Void) async {
        var result = Result<Void, any Error>.success(())
        do { try await body(self) } catch { result = .failure(self.explained(error)) }
        self.outcome.set(result)
        var drain: Duration?
        if case .failure = result { drain = .zero }
        await self.disconnect(drain: drain)
        self.workIsDone.set(())
        self.end.set(.finished(result))
    }

    // MARK: For the body

    /// Connects. From then on, the run ends if the client gives up.
    func connect() async throws {
        let notice = self.noticeOfSlowConnection()
        defer { notice?.cancel() }
        do { try await self.client.connect() } catch {
            let error = MQTTError(of: error)
            throw self.connectionFailure(error)
        }
        self.connected.set(())
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

    /// The error of the first connection attempt, with a hint at the options that may have caused it.
    private func connectionFailure(_ error: MQTTError) -> MQTTError {
        var error = error
        let isUnreachable = (error.cause as? TransportError)?.code == .hostUnreachable
        if isUnreachable, let address = self.settings.configuration.connection.localAddress {
            error.message += " With -A, \(address) must be an address of this machine."
        }
        let count = self.settings.configuration.servers.count
        // After a refusal, the client may not have tried the other brokers.
        if count > 1, error.code != .cancelled, error.code != .connectionRefused {
            error.message = "Cannot connect to any of the \(count) brokers; the last one tried: \(error.message)"
        }
        return error
    }

    /// Whether the time limit of `-W` has cancelled the body.
    var isTimeOver: Bool { if case .timeIsOver? = self.end.value { true } else { false } }

    /// Disconnects, and ends the session at the broker unless it is to be kept.
    func disconnect(drain: Duration? = nil) async {
        await self.client.disconnect(drain: drain, sessionExpiry: self.settings.finalExpiry)
    }

    // MARK: What ends it early

    private func watch(_ signals: UnixSignalsSequence) async {
        for await signal in signals {
            // A second signal means: do not wait for an orderly end.
            if self.end.value != nil {
                Diagnostics.say("Exited immediately; unacknowledged messages may or may not have been delivered.")
                abandonProcess(128 + signal.number)
            }
            self.end.set(.interrupted(signal))
        }
    }

    private func watchTime() async {
        guard let limit = self.settings.timeLimit, (try? await Task.sleep(for: limit)) != nil else { return }
        self.end.set(.timeIsOver(limit, isConnected: self.client.state == .connected))
    }

    private func watchClient() async {
        guard await self.connected.wait() != nil else { return }
        do { try await self.client.waitUntilStopped() } catch { self.end.set(.stopped(MQTTError(of: error))) }
    }

    /// Reports what happens to the connection: a silent command looks like one that has nothing to report. Ends the run
    /// if the connection does not come back in time, or if reconnecting is pointless.
    private func watchEvents(_ isEndless: Bool) async {
        var outage = Outage()
        var patience: Task<Void, any Error>?
        defer { patience?.cancel() }
        for await event in self.client.events {
            switch event {
            case .disconnected(let error):
                guard outage.began(error) else {
                    self.end.set(.stopped(error))
                    break
                }
                guard !isEndless, let limit = self.settings.patience else { break }
                patience?.cancel()
                patience = Task { [end] in
                    try await Task.sleep(for: limit)
                    end.set(.lost(error, limit))
                }
            case .reconnecting(_, _, let error):
                if outage.isUnderWay, error.code == .connectionRefused, self.isMosquitto || error.isPermanent {
                    self.end.set(.stopped(error))
                } else if let news = outage.news(of: error) {
                    Diagnostics.say(news)
                }
            case .connected(_, _, let isResumed):
                patience?.cancel()
                guard outage.ended() else { break }
                Diagnostics.say(
                    isEndless && !isResumed
                        ? "Reconnected; the broker did not keep the session, so messages may have been missed."
                        : "Reconnected.")
            case .protocolDeviation(let text): Diagnostics.say(text)
            case .messagesDropped(_, let count):
                Diagnostics.say(
                    "\(count.counted("message")) dropped: messages arrived faster than they could be written.")
            case .messagesUnclaimed(let topics, let count):
                let names = topics.map { "'\($0)'" }.joined(separator: ", ")
                Diagnostics.say(
                    "\(count.counted("message")) without a subscription acknowledged and discarded, on \(names).")
            case .messageSkipped(_, let error):
                let sentence = error.sentence.replacing(
                    "raise `session.maximumPacketSize`", with: "raise the maximum packet size that was set")
                Diagnostics.say("\(sentence) It was skipped.")
            default: break
            }
        }
    }

    // MARK: The end

    /// If a timeout is caused by a lost connection, the error says that the connection was lost.
    private func explained(_ error: any Error) -> any Error {
        guard self.client.state == .reconnecting, let patience = self.settings.patience else { return error }
        switch error {
        case let error as MQTTError where error.code == .timedOut:
            let lost = MQTTError(.timedOut, Self.lost(for: patience), delivery: error.delivery)
            return CommandFailure(lost.sentence, exitCode: CommandFailure.connectionLost)
        case let failure as CommandFailure where failure.exitCode == CommandFailure.timeOut:
            // The limit of the command is usually shorter than the patience.
            let reasons = ["The connection was lost and did not come back in time.", failure.message]
            return CommandFailure(
                reasons.compactMap(\.self).joined(separator: " "), exitCode: CommandFailure.connectionLost)
        default: return error
        }
    }

    private static func lost(for limit: Duration) -> String {
        "The connection was lost and did not come back within \(limit)"
    }

    private func conclude(_ end: End, _ isEndless: Bool) async throws {
        switch end {
        case .finished(.success): return
        case .finished(.failure(let error)): throw self.failure(error) ?? CommandFailure(nil)
        case .interrupted(let signal):
            let wasConnecting = self.client.state == .connecting && !self.isMosquitto
            let undone = await self.undone(within: .seconds(5))
            if isEndless, undone == nil, !wasConnecting { return }
            let message = undone?.message ?? (wasConnecting && isEndless ? "No connection was made." : nil)
            throw CommandFailure(message, exitCode: 128 + signal.number)
        case .timeIsOver(let limit, let isConnected):
            let undone = await self.undone(within: .seconds(1))
            let reason = undone?.message ?? (isConnected ? nil : "There is no connection to the broker.")
            let message = "The time limit of \(limit) has expired" + (reason.map { ": \($0)" } ?? ".")
            throw CommandFailure(message, exitCode: CommandFailure.timeOut)
        case .lost(let error, let limit):
            let undone = await self.undone(within: .seconds(1))
            let message = "\(Self.lost(for: limit)): \(error.sentence)"
            throw CommandFailure(
                undone?.message.map { "\(message) \($0)" } ?? message, exitCode: CommandFailure.connectionLost)
        case .stopped(let error):
            let undone = await self.undone(within: .seconds(1))
            let reason = CommandFailure(error, version: self.settings.version)
            // The body usually failed for the same reason.
            if let message = undone?.message {
                guard reason.message.map(message.contains) != true else {
                    throw CommandFailure(message, exitCode: reason.exitCode)
                }
                Diagnostics.say(message)
            }
            throw reason
        }
    }

    /// The failure of the cancelled body, which says what was not done; `nil` if it has none. Waits at most `limit` for
    /// the body to end: the broker may not close the connection, or the output may be blocked.
    private func undone(within limit: Duration) async -> CommandFailure? {
        _ = await self.workIsDone.wait(within: limit)
        guard let outcome = self.outcome.value else {
            return CommandFailure(
                "The command did not end in time; unacknowledged messages may or may not have been delivered.")
        }
        guard case .failure(let error) = outcome else { return nil }
        return self.failure(error)
    }

    /// `nil` for errors that only say that the run was cancelled.
    private func failure(_ error: any Error) -> CommandFailure? {
        switch error {
        case let failure as CommandFailure: failure
        case let error as MQTTError where error.code == .cancelled:
            switch error.delivery {
            case .notSent: CommandFailure("The message was not sent.")
            case .unknown: CommandFailure("Whether the message was delivered is unknown.")
            case nil: nil
            }
        case let error as MQTTError: CommandFailure(error, version: self.settings.version)
        case is CancellationError: nil
        default: CommandFailure("\(error)")
        }
    }
}

extension MQTTError {
    /// Whether the broker will refuse the next connection for the same reason. Mosquitto's commands assume this of any
    /// refusal.
    fileprivate var isPermanent: Bool { self.reasonCode == .serverMoved || self.reasonCode == .useAnotherServer }
}

extension UnixSignal {
    /// The number that a shell adds to 128 for the exit code.
    fileprivate var number: Int32 {
        switch self {
        case .sigint: 2
        case .sigterm: 15
        default: 0
        }
    }
}
#endif

import CoreMetrics
import CurlewCore
import CurlewTransport
import Logging
import Synchronization

/// Keeps a client connected: connects, waits for the end of the connection, and follows the reconnect policy, until the
/// policy says to stop or the task is cancelled.
struct Supervisor {
    private let engine: ClientEngine
    private let retriesFirst: Bool
    private let first: OneShot<Result<Bool, MQTTError>>
    private var policy: ReconnectPolicy
    private var attempt = 0
    private var tried = 0

    init(_ engine: ClientEngine, retriesFirst: Bool, first: OneShot<Result<Bool, MQTTError>>) {
        self.engine = engine
        self.retriesFirst = retriesFirst
        self.first = first
        let configuration = engine.configuration
        var settings = configuration.reconnect.settings
        settings.maximumAttempts = settings.maximumAttempts.map { tries in
            let (product, isTooMuch) = tries.multipliedReportingOverflow(by: configuration.servers.count)
            return isTooMuch ? .max : product
        }
        self.policy = ReconnectPolicy(
            serverCount: configuration.servers.count,
            version: configuration.connection.version.exact.map { .fixed($0) } ?? .automatic, settings: settings)
    }

    /// Runs until it gives up, and returns the error; `nil` if it was cancelled or the client was disconnected.
    mutating func run() async -> MQTTError? {
        while !Task.isCancelled {
            let end = await self.connectOnce()
            if Task.isCancelled { return nil }
            switch self.next(after: end) {
            case .stop(let error): return error
            case .connect(let delay):
                guard delay > .zero else { continue }
                do { try await self.engine.clock.sleep(self.engine.clock.now() + delay) } catch { return nil }
            }
        }
        return nil
    }

    /// What to do after a connection ended, or an attempt failed.
    private enum Next {
        case connect(after: Duration)
        /// With the error that caused it; `nil` if the client disconnected on request.
        case stop(MQTTError?)
    }

    private mutating func next(after end: End) -> Next {
        let random = UInt64.random(in: .min ... .max)
        let decision: ReconnectPolicy.AfterFailure
        let error: MQTTError
        switch end {
        case .unmade(.failed(let cause)):
            // The same CONNECT would fail again, unless the error comes from a version that the policy only guessed.
            let isOfGuess = self.policy.isGuess && cause.code == .notSupportedByProtocolVersion
            if cause.isPermanent, !isOfGuess {
                self.engine.state.withLock { $0.life.connectionError = cause }
                return self.giveUp(cause)
            }
            error = cause
            decision = self.policy.failed(random: random)
        case .unmade(.closedBeforeConnAck(let cause)):
            error = cause
            decision = self.policy.closedBeforeConnAck(mayBeOlder: self.mayBeOlder, random: random)
        case .unmade(.unanswered(let cause)):
            error = cause
            decision = self.policy.unanswered(mayBeOlder: self.mayBeOlder, random: random)
        case .unmade(.refused(let connack)):
            error = self.error(refusedBy: connack)
            decision = self.policy.refused(
                connack.reasonCode, serverReference: connack.properties.serverReference, random: random)
        case .lost(let closing):
            // No error: the client disconnected on request. The cancellation may not have reached this task yet.
            guard let cause = closing.error else { return .stop(nil) }
            error = cause
            self.engine.events.post(.disconnected(error))
            self.engine.logger.info("disconnected", metadata: ["error": "\(error)"])
            decision = self.policy.lost(
                reason: closing.disconnect?.reasonCode,
                serverReference: closing.disconnect?.properties.serverReference, at: self.engine.clock.now(),
                random: random)
        }
        self.engine.state.withLock { $0.life.connectionError = error }
        if decision == .stop(.triesExhausted) {
            let tries = self.engine.configuration.reconnect.maximumAttempts ?? 0
            self.engine.logger.error("giving up", metadata: ["tries": "\(tries)", "error": "\(error)"])
            return .stop(error.after(tries: tries))
        }
        guard case .connect(let delay) = decision, self.mayGoOn(delay) else { return self.giveUp(error) }
        self.attempt += 1
        self.engine.events.post(.reconnecting(attempt: self.attempt, after: delay, because: error))
        self.engine.logger.info(
            "connecting again", metadata: ["after": "\(delay)", "attempt": "\(self.attempt)", "error": "\(error)"])
        return .connect(after: delay)
    }

    /// Logs the end, unless it is reported by the call that connects.
    private func giveUp(_ error: MQTTError) -> Next {
        if self.first.value != nil { self.engine.logger.error("giving up", metadata: ["error": "\(error)"]) }
        return .stop(error)
    }

    /// Whether 3.1.1 supports the configuration.
    private var mayBeOlder: Bool { (try? self.engine.configuration.validate(for: .v3_1_1)) != nil }

    /// Whether to connect again. Before the first connection, `connect()` tries each server only once, unless it
    /// retries; a delay means that all were tried.
    private func mayGoOn(_ delay: Duration) -> Bool {
        if self.first.value == nil { return self.retriesFirst || delay == .zero }
        return self.engine.configuration.reconnect.isEnabled
    }

    /// How a connection ended, or an attempt failed.
    private enum End {
        case unmade(Handshake.Failure)
        case lost(ClientConnection.Closing)
    }

    private mutating func connectOnce() async -> End {
        let endpoint = self.engine.context.endpoint(of: self.policy.server)
        let whole = self.engine.configuration.connection.handshakeTimeout
        let (identifier, resumes) = self.engine.state.withLock {
            ($0.life.clientIdentifier, $0.life.lifecycle.hasConnected)
        }
        let handshake = Handshake(
            owner: self.engine, connector: self.engine.connector, context: self.engine.context, endpoint: endpoint,
            version: self.policy.version, identifier: identifier, resumes: resumes,
            timeout: self.policy.patience(of: whole, mayBeOlder: self.mayBeOlder),
            silence: self.policy.followsSilence
                ? whole : self.policy.patience(of: whole, mayBeOlder: self.mayBeOlder))
        let closed: OneShot<ClientConnection.Closing>
        do throws(Handshake.Failure) {
            let connection = try await handshake.resultOfChildTask()
            self.accepted(endpoint, isResumed: connection.isResumed)
            closed = connection.closed
        } catch {
            return .unmade(error)
        }
        return await withTaskCancellationHandler {
            .lost(await closed.waitRegardless() ?? ClientConnection.Closing())
        } onCancel: { [engine] in
            engine.sayGoodbye()
        }
    }

    private mutating func accepted(_ endpoint: Endpoint, isResumed: Bool) {
        self.attempt = 0
        self.policy.accepted(at: self.engine.clock.now())
        self.engine.logger.info(
            "connected",
            metadata: ["server": "\(endpoint)", "version": "\(self.policy.version)", "resumed": "\(isResumed)"])
        self.engine.meters.connections.increment()
        self.engine.events.post(
            .connected(server: "\(endpoint)", version: self.policy.version, isResumed: isResumed))
        self.first.set(.success(isResumed))
    }

    private func error(refusedBy connack: ConnAck) -> MQTTError {
        let reason = connack.properties.reasonString.map { " (\($0))" } ?? ""
        let isAnonymous = self.engine.configuration.isAnonymous
        let advice =
            switch connack.reasonCode {
            case .badUserNameOrPassword where isAnonymous, .notAuthorized where isAnonymous:
                ": it wants a user name and a password"
            case .badUserNameOrPassword: ": check user name and password"
            // The answer of many brokers to a wrong password.
            case .notAuthorized: ": check user name and password, and whether this user may connect"
            case .clientIdentifierNotValid: ": choose another client identifier"
            case .unsupportedProtocolVersion: ": it does not speak this version of MQTT"
            default: ""
            }
        var error = MQTTError(
            .connectionRefused, "The server refused the connection\(advice)\(reason).", reasonCode: connack.reasonCode)
        error.version = self.policy.version
        return error
    }
}

extension MQTTError {
    /// Adds to the message why there is no further attempt.
    fileprivate func after(tries: Int) -> Self {
        var error = self
        error.message += " That was the last of the \(tries) tries that `reconnect.maximumAttempts` allows."
        return error
    }

    /// Whether another attempt with the same configuration would fail as well.
    fileprivate var isPermanent: Bool {
        switch self.code {
        case .invalidArgument, .invalidConfiguration, .notSupportedByProtocolVersion: true
        default: false
        }
    }
}

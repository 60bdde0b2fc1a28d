import CoreMetrics
import CurlewCore
import CurlewTransport
import Logging
import NIOCore
import Synchronization

/// Keeps a client connected: makes a connection, waits for its end, and does as the reconnect policy says, until that says to
/// stop or the task is cancelled.
struct Supervisor {
    private let client: MQTTClient
    private let retriesFirst: Bool
    private let first: OneShot<MQTTError?>
    private var policy: ReconnectPolicy
    private var attempt = 0
    private var tried = 0

    init(_ client: MQTTClient, retriesFirst: Bool, first: OneShot<MQTTError?>) {
        self.client = client
        self.retriesFirst = retriesFirst
        self.first = first
        let configuration = client.configuration
        var settings = configuration.reconnect.settings
        settings.maximumTries = settings.maximumTries.map { $0 * configuration.servers.count }
        self.policy = ReconnectPolicy(
            serverCount: configuration.servers.count,
            version: configuration.connection.version.exact.map { .fixed($0) } ?? .automatic, settings: settings)
    }

    /// Returns the error that ended it; `nil` when it was cancelled.
    mutating func run() async -> MQTTError? {
        while !Task.isCancelled {
            let end = await self.connectOnce()
            if Task.isCancelled { return nil }
            let random = UInt64.random(in: .min ... .max)
            let decision: ReconnectPolicy.AfterFailure
            let error: MQTTError
            switch end {
            case .failed(let cause):
                // The same CONNECT would fail the same way.
                if cause.isPermanent { return cause }
                error = cause
                decision = self.policy.failed(random: random)
            case .closedBeforeConnAck(let cause):
                error = cause
                let mayBeOlder = (try? self.client.configuration.validate(for: .v3_1_1)) != nil
                decision = self.policy.closedBeforeConnAck(mayBeOlder: mayBeOlder, random: random)
            case .refused(let connack):
                error = Self.error(refusedBy: connack)
                decision = self.policy.refused(
                    connack.reasonCode, serverReference: connack.properties.serverReference, random: random)
            case .lost(let closing):
                // Without an error it was closed because that was asked for; the cancellation may still be on its way.
                guard let cause = closing.error else { return nil }
                error = cause
                self.client.eventHub.post(.disconnected(error))
                self.client.logger.info("disconnected", metadata: ["error": "\(error)"])
                decision = self.policy.lost(
                    reason: closing.disconnect?.reasonCode,
                    serverReference: closing.disconnect?.properties.serverReference, at: self.client.clock.now(),
                    random: random)
            }
            guard case .connect(let delay) = decision, self.mayGoOn(delay) else { return error }
            self.attempt += 1
            self.client.eventHub.post(.reconnecting(attempt: self.attempt, after: delay))
            self.client.logger.debug(
                "connecting again", metadata: ["after": "\(delay)", "attempt": "\(self.attempt)", "error": "\(error)"])
            guard delay > .zero else { continue }
            do { try await self.client.clock.sleep(self.client.clock.now() + delay) } catch { return nil }
        }
        return nil
    }

    /// Before the first connection one round over the servers is all that `connect()` wants; a delay means that it is over.
    private func mayGoOn(_ delay: Duration) -> Bool {
        if self.first.value == nil { return self.retriesFirst || delay == .zero }
        return self.client.configuration.reconnect.isEnabled
    }

    /// How a connection, or the attempt to make one, ended.
    private enum End {
        case failed(MQTTError)
        case closedBeforeConnAck(MQTTError)
        case refused(ConnAck)
        case lost(ClientConnection.Closing)
    }

    private mutating func connectOnce() async -> End {
        let connect: Connect
        do throws(MQTTError) {
            connect = try await self.client.makeConnect(self.policy.version)
        } catch {
            return .failed(error)
        }
        let opening = OneShot<ClientConnection.Opening>()
        let closed = OneShot<ClientConnection.Closing>()
        let link = OneShot<any Link>()
        let endpoint = self.client.endpoint(of: self.policy.server)
        do throws(TransportError) {
            try await self.client.connector.connect(to: endpoint, on: self.client.eventLoop) { [client] newLink in
                link.set(newLink)
                return ClientConnection(
                    client, link: newLink, server: endpoint, connect: connect, opening: opening, closed: closed)
            }
        } catch {
            return .failed(MQTTError(.connectionFailed, error.message, cause: error))
        }
        return await withTaskCancellationHandler {
            await self.follow(opening, closed, link, endpoint)
        } onCancel: { [client] in
            // Called at once where the task was cancelled before, perhaps after CONNACK.
            if case .accepted? = opening.value { return client.sayGoodbye() }
            link.value?.close()
        }
    }

    /// From CONNECT to the end of the connection.
    private mutating func follow(
        _ opening: OneShot<ClientConnection.Opening>, _ closed: OneShot<ClientConnection.Closing>,
        _ link: OneShot<any Link>, _ endpoint: Endpoint
    ) async -> End {
        let timeout = self.client.configuration.connection.handshakeTimeout
        let expired = OneShot<Void>()
        let deadline = self.client.deadlines.schedule(after: timeout) {
            expired.set(())
            link.value?.close()
        }
        let opened = await opening.wait()
        self.client.deadlines.cancel(deadline)
        switch opened {
        case .accepted(let connack, let connect, let isResumed)?:
            self.accepted(connack, connect, isResumed, endpoint)
            // Not cut short by cancellation: whoever cancels has closed the connection, or closes it.
            let closing = await Task { await closed.wait() }.value
            return .lost(closing ?? ClientConnection.Closing())
        case .refused(let connack)?:
            _ = await closed.wait()
            return .refused(connack)
        case .closed(let closing)?:
            guard expired.value == nil else {
                return .failed(MQTTError(.timedOut, "\(endpoint) did not answer CONNECT within \(timeout)."))
            }
            let error = closing.error ?? MQTTError(.connectionClosed, "The server closed the connection.")
            guard error.code == .connectionClosed else { return .failed(error) }
            if let cause = error.cause as? TransportError, cause.code != .connectionLost {
                return .failed(MQTTError(.connectionFailed, cause.message, cause: cause))
            }
            return .closedBeforeConnAck(
                MQTTError(
                    .connectionFailed, "\(endpoint) closed the connection without an answer to CONNECT.",
                    cause: error.cause))
        case nil: return .failed(MQTTError(.cancelled, "The task was cancelled."))
        }
    }

    private mutating func accepted(_ connack: ConnAck, _ connect: Connect, _ isResumed: Bool, _ endpoint: Endpoint) {
        self.attempt = 0
        self.policy.accepted(at: self.client.clock.now())
        self.client.logger.info(
            "connected",
            metadata: ["server": "\(endpoint)", "version": "\(connect.version)", "resumed": "\(isResumed)"])
        self.client.meters.connections.increment()
        self.client.eventHub.post(
            .connected(server: "\(endpoint)", version: connect.version, isResumed: isResumed))
        self.first.set(nil)
    }

    private static func error(refusedBy connack: ConnAck) -> MQTTError {
        let reason = connack.properties.reasonString.map { " (\($0))" } ?? ""
        let advice =
            switch connack.reasonCode {
            case .badUserNameOrPassword: ": check user name and password"
            case .notAuthorized: ": the user has no right to connect, or must say who it is"
            case .clientIdentifierNotValid: ": choose another client identifier"
            case .unsupportedProtocolVersion: ": it does not speak this version of MQTT"
            default: ""
            }
        return MQTTError(
            .connectionRefused, "The server refused the connection\(advice)\(reason).", reasonCode: connack.reasonCode)
    }
}

extension MQTTError {
    /// Whether the same configuration will fail again.
    fileprivate var isPermanent: Bool {
        switch self.code {
        case .invalidArgument, .invalidConfiguration, .notSupportedByProtocolVersion: true
        default: false
        }
    }
}

import CurlewCore
import NIOCore
import Synchronization

extension MQTTClient {
    /// Connects, and stays connected from here on: when the connection is lost, another is made.
    ///
    /// Each configured server is tried once. With several calls at once, each returns when the one connection is there.
    ///
    /// - Throws: ``MQTTError``: `connectionFailed`, `connectionRefused` with the server's reason code, `authenticationFailed`,
    ///   `timedOut`, `cancelled` or `clientStopped`. The client is then as it was before, and the call may be repeated.
    public nonisolated(nonsending) func connect() async throws(MQTTError) {
        try await self.start(retriesFirst: false)
    }

    /// As ``connect()``, but goes on trying as `reconnect` of the configuration says until the first connection is there: for
    /// services and devices that may start before their server.
    public nonisolated(nonsending) func connectWithRetries() async throws(MQTTError) {
        try await self.start(retriesFirst: true)
    }

    private nonisolated(nonsending) func start(retriesFirst: Bool) async throws(MQTTError) {
        let first: OneShot<MQTTError?>? = self.shared.withLock { shared in
            let first: OneShot<MQTTError?>
            switch shared.lifecycle {
            case .running(let supervision): first = supervision.first
            case .draining: return nil
            case .idle:
                shared.stopError = nil
                let supervision = self.supervision(retriesFirst: retriesFirst)
                shared.lifecycle = .running(supervision)
                first = supervision.first
            }
            shared.connectCalls += 1
            return first
        }
        guard let first else { throw MQTTError(.clientStopped, "The client is being disconnected.") }
        let outcome = await first.wait()
        let isUnwanted = self.shared.withLock { shared in
            shared.connectCalls -= 1
            return shared.connectCalls == 0 && shared.connection == nil
        }
        guard let result = outcome else {
            // Nobody waits for the first connection any more; one that is there already stays.
            if isUnwanted, first.value == nil { await self.stop(nil) }
            throw MQTTError(.cancelled, "The task was cancelled.")
        }
        if let error = result { throw error }
    }

    private func supervision(retriesFirst: Bool) -> Supervision {
        let first = OneShot<MQTTError?>()
        let ended = OneShot<Void>()
        let task = Task(executorPreference: self.taskExecutor) {
            var supervisor = Supervisor(self, retriesFirst: retriesFirst, first: first)
            let error = await supervisor.run()
            self.end(error, first: first)
            ended.set(())
        }
        return Supervision(task: task, first: first, ended: ended)
    }

    /// Disconnects: takes nothing new, waits until everything accepted is sent and acknowledged, says goodbye and closes.
    ///
    /// Subscriptions end when what is in their queues has been read. The will is not published.
    ///
    /// - Parameters:
    ///   - drain: How long to wait for what is under way. Default: `connection.drainTimeout`, 10 seconds. Zero drops it.
    ///   - sessionExpiry: How long the server keeps the session from now on (MQTT 5.0 section 3.14.2.2.2). Default: as
    ///     `session.expiry` says; but a session that nobody can ask for again ends at once: one that started clean under an
    ///     identifier that was generated or assigned.
    /// - Returns: What was left undone. Each such publish has also thrown.
    @discardableResult
    public nonisolated(nonsending) func disconnect(
        drain: Duration? = nil, sessionExpiry: MQTTConfiguration.Expiry? = nil
    ) async -> DrainReport {
        let drained = OneShot<Void>()
        let begun: (Supervision, isDrained: Bool)? = self.shared.withLock { shared in
            switch shared.lifecycle {
            case .idle: return nil
            case .draining(let supervision): return (supervision, true)
            case .running(let supervision):
                shared.lifecycle = .draining(supervision)
                if shared.session.isDrained { return (supervision, true) }
                shared.drained.append(drained)
                return (supervision, false)
            }
        }
        guard let begun else { return self.discardRest() }
        if !begun.isDrained {
            let limit = drain ?? self.configuration.connection.drainTimeout
            if limit > .zero {
                let deadline = self.deadlines.schedule(after: limit) { drained.set(()) }
                _ = await drained.wait()
                self.deadlines.cancel(deadline)
            }
        }
        return await self.stop(begun.0, sessionExpiry)
    }

    /// Ends what `connect()` began, in order if there is a connection.
    @discardableResult
    private nonisolated(nonsending) func stop(
        _ known: Supervision?, _ sessionExpiry: MQTTConfiguration.Expiry? = nil
    ) async -> DrainReport {
        let (supervision, remains) = self.shared.withLock { shared in
            var supervision = known
            if case .running(let current) = shared.lifecycle {
                shared.lifecycle = .draining(current)
                supervision = current
            }
            shared.goodbye = self.configuration.goodbye(sessionExpiry)
            return (supervision, shared.session.remains)
        }
        // The supervisor has the connection say goodbye, or closes one that the server has not accepted.
        supervision?.task.cancel()
        // Not cut short by cancellation: closing is bounded by `connection.disconnectTimeout`.
        if let supervision { await supervision.task.value }
        return DrainReport(notSent: remains.notSent, unknown: remains.unknown)
    }

    /// Ends the connection, if there is one, in order.
    func sayGoodbye() {
        let (connection, properties) = self.shared.withLock { ($0.connection, $0.goodbye) }
        guard let connection else { return }
        self.eventLoop.execute { connection.value.close(.normalDisconnection, nil, properties: properties) }
    }

    /// Without a connection ever asked for, only what waits in the outbox has to be given up.
    private func discardRest() -> DrainReport {
        let remains = self.shared.withLock { $0.session.remains }
        self.end(nil, first: nil)
        return DrainReport(notSent: remains.notSent, unknown: remains.unknown)
    }

    /// The supervision is over: everything that waits learns it, and a new session stands ready for another `connect()`.
    func end(_ error: MQTTError?, first: OneShot<MQTTError?>?) {
        // A first connection that failed leaves the outbox and the subscribers as they are: `connect()` may be repeated.
        let mayBeRepeated = error != nil && first?.value == nil
        // Before another `connect()` can schedule some of its own.
        if !mayBeRepeated { self.deadlines.cancelAll() }
        let (resumptions, receivers) = self.shared.withLock { shared in
            shared.lifecycle = .idle
            shared.hasConnected = mayBeRepeated ? shared.hasConnected : false
            guard !mayBeRepeated else { return (Resumptions(), [any MessageReceiver]()) }
            shared.isWatchingAcknowledgements = false
            shared.stopError = error
            shared.session.end()
            let resumptions = shared.takeResumptions(nil)
            shared.session = ClientSession(self.configuration.sessionSettings)
            shared.inbox = nil
            defer { shared.receivers.removeAll() }
            return (resumptions, Array(shared.receivers.values))
        }
        resumptions.resume()
        for receiver in receivers { receiver.finish(error) }
        first?.set(error ?? MQTTError(.clientStopped, "The client was disconnected."))
        self.eventHub.post(.stopped(error))
    }
}

extension MQTTConfiguration {
    /// The properties of the last DISCONNECT: the session expiry interval, where it differs from that of CONNECT. One that was
    /// zero there must stay zero.
    fileprivate func goodbye(_ sessionExpiry: Expiry?) -> Properties {
        let isUnreachable = if case .given = self.clientIdentifier.kind { false } else { self.session.cleanStart }
        let expiry = sessionExpiry ?? (isUnreachable ? .withConnection : self.session.expiry)
        guard expiry != self.session.expiry, self.session.expiry.seconds != 0, let seconds = expiry.seconds else {
            return Properties()
        }
        return Properties([.sessionExpiryInterval(seconds)])
    }
}

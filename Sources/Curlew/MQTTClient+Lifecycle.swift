import CurlewCore
import Logging
import NIOCore
import Synchronization

extension MQTTClient {
    /// Connects, and stays connected from here on: when the connection is lost, another is made.
    ///
    /// Each configured server is tried once. With several calls at once, each returns when the one connection is there.
    ///
    /// - Throws: ``MQTTError``: `connectionFailed`, `connectionRefused` with the server's reason code, `authenticationFailed`,
    ///   `timedOut`, `cancelled` or `clientStopped`. What waits for the connection then waits for another call.
    public nonisolated(nonsending) func connect() async throws(MQTTError) {
        try await self.start(retriesFirst: false)
    }

    /// As ``connect()``, but goes on trying as `reconnect` of the configuration says until the first connection is there: for
    /// services and devices that may start before their server.
    public nonisolated(nonsending) func connectWithRetries() async throws(MQTTError) {
        try await self.start(retriesFirst: true)
    }

    private nonisolated(nonsending) func start(retriesFirst: Bool) async throws(MQTTError) {
        let begun: Supervision? = self.shared.withLock { shared in
            let supervision: Supervision
            switch shared.lifecycle {
            case .running(let current): supervision = current
            case .draining: return nil
            case .idle:
                shared.hasStopped = false
                shared.stopError = nil
                shared.goodbye = self.configuration.goodbye(nil)
                supervision = self.supervision(retriesFirst: retriesFirst)
                shared.lifecycle = .running(supervision)
            }
            shared.connectCalls += 1
            return supervision
        }
        guard let supervision = begun else { throw MQTTError(.clientStopped, "The client is being disconnected.") }
        let first = supervision.first
        let outcome = await first.wait()
        let isUnwanted = self.shared.withLock { shared in
            shared.connectCalls -= 1
            return shared.connectCalls == 0 && shared.connection == nil
        }
        guard let result = outcome else {
            // Nobody waits for the first connection any more; one that is there already stays.
            if isUnwanted, first.value == nil { await supervision.stop() }
            throw MQTTError(.cancelled, "The task was cancelled.")
        }
        if let error = result { throw error }
    }

    private func supervision(retriesFirst: Bool) -> Supervision {
        let first = OneShot<MQTTError?>()
        let ended = OneShot<DrainReport>()
        let task = Task(executorPreference: self.taskExecutor) {
            var supervisor = Supervisor(self, retriesFirst: retriesFirst, first: first)
            let error = await supervisor.run()
            ended.set(self.end(error, first: first))
        }
        return Supervision(task: task, first: first, ended: ended)
    }

    /// Disconnects: takes nothing new, waits until everything accepted is sent and acknowledged, says goodbye and closes.
    ///
    /// Subscriptions end when what is in their queues has been read. The will is not published. Afterwards `publish`,
    /// `enqueue`, `subscribe` and `request` throw `clientStopped`, until ``connect()`` is called again.
    ///
    /// Several calls at once wait together, and return the same report; the first whose time is over, or whose task is
    /// cancelled, ends the wait for all of them.
    ///
    /// - Parameters:
    ///   - drain: How long to wait for what is under way. Default: `connection.drainTimeout`, 10 seconds. Zero drops it.
    ///   - sessionExpiry: How long the server keeps the session from now on (MQTT 5.0 section 3.14.2.2.2); fractions of a
    ///     second are rounded up. A session that was to end with its connection, as `session.expiry` says, cannot be kept:
    ///     then another value is not sent, and a warning logged. Before 5.0 it means nothing. Default: as `session.expiry`
    ///     says; but a session that nobody can ask for again ends at once: one that started clean under an identifier that was
    ///     generated or assigned.
    /// - Returns: What was left undone. Each such publish has also thrown.
    @discardableResult
    public nonisolated(nonsending) func disconnect(
        drain: Duration? = nil, sessionExpiry: MQTTConfiguration.Expiry? = nil
    ) async -> DrainReport {
        let limit = drain ?? self.configuration.connection.drainTimeout
        let expiry = sessionExpiry.flatMap { self.possible($0) }
        let drained = OneShot<Void>()
        let begun: (Supervision, isDrained: Bool)? = self.shared.withLock { shared in
            let supervision: Supervision
            switch shared.lifecycle {
            case .idle: return nil
            case .running(let current), .draining(let current): supervision = current
            }
            shared.lifecycle = .draining(supervision)
            // Another call may have said how long, and this one not.
            if let expiry { shared.goodbye = self.configuration.goodbye(expiry) }
            let isDrained = shared.session.isDrained
            if !isDrained { shared.drained.append(drained) }
            return (supervision, isDrained)
        }
        guard let begun else { return self.end(nil, first: nil) }
        if !begun.isDrained, limit > .zero {
            let deadline = self.deadlines.schedule(after: limit) { drained.set(()) }
            _ = await drained.wait()
            self.deadlines.cancel(deadline)
        }
        // The supervisor has the connection say goodbye, or closes one that the server has not accepted.
        return await begun.0.stop()
    }

    /// What DISCONNECT can say of that; `nil` if it can say nothing.
    private func possible(_ expiry: MQTTConfiguration.Expiry) -> MQTTConfiguration.Expiry? {
        let expiry = expiry.roundedUp
        // A session expiry interval that CONNECT gave as zero must stay zero (section 3.14.2.2.2).
        guard self.configuration.session.expiry.seconds == 0, expiry.seconds != 0 else { return expiry }
        self.logger.warning(
            "session not kept: set session.expiry of the configuration to keep it after disconnect(sessionExpiry:)",
            metadata: ["session_expiry": "\(expiry)"])
        return nil
    }

    /// Ends the connection, if there is one, in order.
    func sayGoodbye() {
        let (connection, properties) = self.shared.withLock { ($0.connection, $0.goodbye) }
        guard let connection else { return }
        self.eventLoop.execute { connection.value.close(.normalDisconnection, nil, properties: properties) }
    }

    /// The supervision is over: everything that waits learns it. The session stays for another `connect()`.
    @discardableResult
    func end(_ error: MQTTError?, first: OneShot<MQTTError?>?) -> DrainReport {
        var report = DrainReport()
        var unclaimed: UnclaimedMessages<MQTTMessage>.Report?
        let ended: (Resumptions, [any MessageReceiver])? = self.shared.withLock { shared in
            var mayBeRepeated = false
            switch shared.lifecycle {
            case .idle: break
            // `connect()` was called after `disconnect()` had found nothing to end.
            case .running where first == nil, .draining where first == nil: return nil
            // A first connection that failed, or that nobody waited for any more, leaves the outbox and the subscribers as
            // they are: `connect()` may be repeated.
            case .running: mayBeRepeated = error == nil || first?.value == nil
            case .draining: break
            }
            // Before another `connect()` can schedule some of its own.
            if !mayBeRepeated { self.deadlines.cancelAll() }
            shared.lifecycle = .idle
            shared.hasConnected = mayBeRepeated ? shared.hasConnected : false
            guard !mayBeRepeated else { return (Resumptions(), [any MessageReceiver]()) }
            shared.isWatchingAcknowledgements = false
            unclaimed = shared.unclaimed.end()
            shared.unclaimedDeadline = nil
            shared.hasStopped = true
            shared.stopError = error
            let remains = shared.session.remains
            report = DrainReport(notSent: remains.notSent, unknown: remains.unknown)
            shared.session.end()
            var resumptions = shared.takeResumptions(nil)
            // Other calls of `disconnect()` wait no longer either.
            resumptions.drained += exchange(&shared.drained, with: [])
            shared.inbox = nil
            defer { shared.receivers.removeAll() }
            shared.endedReceivers.removeAll()
            return (resumptions, Array(shared.receivers.values))
        }
        guard let (resumptions, receivers) = ended else { return report }
        resumptions.resume()
        for receiver in receivers { receiver.finish(error) }
        if let unclaimed { self.tell(unclaimed) }
        first?.set(error ?? MQTTError(.clientStopped, "The client was disconnected."))
        self.eventHub.post(.stopped(error))
        return report
    }
}

extension MQTTClient.Supervision {
    /// Ends what `connect()` began. Not cut short by cancellation: closing is bounded by `connection.disconnectTimeout`.
    @discardableResult
    fileprivate nonisolated(nonsending) func stop() async -> DrainReport {
        self.task.cancel()
        await self.task.value
        return self.ended.value ?? DrainReport()
    }
}

extension MQTTConfiguration.Expiry {
    /// The shortest that the standard can say and that is not shorter than this, as far as it can say any so long.
    fileprivate var roundedUp: Self {
        guard let (seconds, attoseconds) = self.duration?.components else { return self }
        let longest = Int64(UInt32.max - 1)
        let whole = min(max(seconds, -1), longest) + (attoseconds > 0 ? 1 : 0)
        return .after(.seconds(min(max(whole, 0), longest)))
    }
}

extension MQTTConfiguration {
    /// The properties of the last DISCONNECT: the session expiry interval, where it differs from that of CONNECT. One that was
    /// zero there must stay zero.
    fileprivate func goodbye(_ sessionExpiry: Expiry?) -> Properties {
        let isUnreachable = if case .given = self.clientIdentifier.kind { false } else { self.session.cleanStart }
        let expiry = sessionExpiry ?? (isUnreachable ? .withConnection : self.session.expiry)
        var properties = Properties(self.packetUserProperties.disconnect.map(Property.userProperty))
        if expiry != self.session.expiry, self.session.expiry.seconds != 0, let seconds = expiry.seconds {
            properties.list.insert(.sessionExpiryInterval(seconds), at: 0)
        }
        return properties
    }
}

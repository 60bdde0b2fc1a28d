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
            switch shared.lifecycle.connectCalled() {
            case .refuse: return nil
            case .join: break
            case .begin:
                shared.stopError = nil
                shared.goodbye = self.configuration.goodbye(nil)
                shared.supervision = self.supervise(retriesFirst: retriesFirst)
            }
            return shared.supervision
        }
        guard let begun else { throw MQTTError(.clientStopped, "The client is being disconnected.") }
        let outcome = await begun.first.wait()
        let end = self.shared.withLock { $0.lifecycle.connectCallEnded(isCancelled: outcome == nil) }
        guard let result = outcome else {
            if end == .stop { await begun.stop() }
            throw MQTTError(.cancelled, "The task was cancelled.")
        }
        if let error = result { throw error }
    }

    /// Begins to connect, and to connect again whenever that is lost.
    private func supervise(retriesFirst: Bool) -> Supervision {
        let first = OneShot<MQTTError?>()
        let ended = OneShot<DrainReport>()
        let task = Task(executorPreference: self.taskExecutor) {
            var supervisor = Supervisor(self, retriesFirst: retriesFirst, first: first)
            let error = await supervisor.run()
            ended.set(self.supervisionEnded(error, first))
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
        var ending: Ending?
        let begun: (Supervision, isDrained: Bool)? = self.shared.withLock { shared in
            switch shared.lifecycle.disconnectCalled() {
            case .end:
                self.deadlines.cancelAll()
                ending = shared.end(nil)
                return nil
            case .drain: break
            }
            guard let supervision = shared.supervision else { return nil }
            // Another call may have said how long, and this one not.
            if let expiry { shared.goodbye = self.configuration.goodbye(expiry) }
            let isDrained = shared.session.isDrained
            if !isDrained { shared.drained.append(drained) }
            return (supervision, isDrained)
        }
        guard let begun else {
            let report = ending.map { self.finish($0) } ?? DrainReport()
            self.eventHub.post(.stopped(nil))
            return report
        }
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

    /// The supervision is over, with that error if it has given up. The session stays for another `connect()`.
    private func supervisionEnded(_ error: MQTTError?, _ first: OneShot<MQTTError?>) -> DrainReport {
        let ending: Ending? = self.shared.withLock { shared in
            shared.supervision = nil
            switch shared.lifecycle.supervisionEnded(isFailure: error != nil) {
            case .mayBeRepeated: return nil
            case .final:
                // Before another `connect()` can schedule some of its own.
                self.deadlines.cancelAll()
                return shared.end(error)
            }
        }
        let report = ending.map { self.finish($0) } ?? DrainReport()
        first.set(error ?? MQTTError(.clientStopped, "The client was disconnected."))
        self.eventHub.post(.stopped(error))
        return report
    }

    /// Tells everybody who waits that the client has stopped.
    private func finish(_ ending: Ending) -> DrainReport {
        ending.resumptions.resume()
        for receiver in ending.receivers { receiver.finish(ending.error) }
        if let unclaimed = ending.unclaimed { self.tell(unclaimed) }
        return ending.report
    }

    /// What is to be told when the client has stopped, once the lock is released.
    fileprivate struct Ending {
        let error: MQTTError?
        let report: DrainReport
        let resumptions: Resumptions
        let receivers: [any MessageReceiver]
        let unclaimed: UnclaimedMessages<MQTTMessage>.Report?
    }
}

extension MQTTClient.Shared {
    /// The client has stopped, because of that error if there is one.
    fileprivate mutating func end(_ error: MQTTError?) -> MQTTClient.Ending {
        self.stopError = error
        self.isWatchingAcknowledgements = false
        self.unclaimedDeadline = nil
        self.inbox = nil
        self.endedReceivers.removeAll()
        let remains = self.session.remains
        self.session.end()
        var resumptions = self.takeResumptions(nil)
        // Other calls of `disconnect()` wait no longer either.
        resumptions.drained += exchange(&self.drained, with: [])
        return MQTTClient.Ending(
            error: error, report: DrainReport(notSent: remains.notSent, unknown: remains.unknown),
            resumptions: resumptions, receivers: Array(exchange(&self.receivers, with: [:]).values),
            unclaimed: self.unclaimed.end())
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

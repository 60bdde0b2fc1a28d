import CurlewCore
import CurlewTransport
import Logging
import NIOCore
import Synchronization

// From `connect()` to `disconnect()`: carries out what ``ClientLifecycle`` decides.
extension ClientEngine {
    nonisolated(nonsending) func connect(
        retriesFirst: Bool, within limit: Duration? = nil
    ) async throws(MQTTError) -> Bool {
        let begun: Supervision? = self.state.withLock { state in
            switch state.life.lifecycle.connectCalled() {
            case .refuse: return nil
            case .join: break
            case .begin:
                state.life.begins(
                    self.supervise(retriesFirst: retriesFirst), goodbye: self.configuration.goodbye(nil))
            }
            return state.life.supervision
        }
        guard let begun else { throw MQTTError(.clientStopped, "The client is being disconnected.") }
        let waited = await begun.first.wait(for: limit, by: self.deadlines)
        var outcome: Result<Bool, MQTTError>?
        if case .value(let result) = waited { outcome = result }
        let (end, cause) = self.state.withLock { state in
            (state.life.lifecycle.connectCallEnded(isCancelled: outcome == nil), state.life.connectionError)
        }
        if let outcome { return try outcome.get() }
        if end == .stop { await begun.stop() }
        guard case .timedOut = waited, let limit else { throw MQTTError(.cancelled, "The task was cancelled.") }
        throw MQTTError(
            .timedOut, "There was no connection within \(limit)\(cause.map { ": \($0.message)" } ?? ".")", cause: cause)
    }

    /// Starts the task that connects and reconnects.
    private func supervise(retriesFirst: Bool) -> Supervision {
        let first = OneShot<Result<Bool, MQTTError>>()
        let ended = OneShot<DrainReport>()
        let task = Task(executorPreference: self.executor) {
            var supervisor = Supervisor(self, retriesFirst: retriesFirst, first: first)
            let error = await supervisor.run()
            ended.set(self.supervisionEnded(error, first))
        }
        return Supervision(task: task, first: first, ended: ended)
    }

    nonisolated(nonsending) func disconnect(
        drain: Duration?, sessionExpiry: MQTTConfiguration.Expiry?
    ) async -> DrainReport {
        let limit = drain ?? self.configuration.connection.drainTimeout
        let expiry = sessionExpiry.flatMap { self.possible($0) }
        let drained = OneShot<Void>()
        var ending: Ending?
        let begun: (Supervision, isDrained: Bool)? = self.state.withLock { state in
            switch state.life.lifecycle.disconnectCalled() {
            case .end:
                self.deadlines.cancelAll()
                self.turns.reset()
                ending = state.end(nil)
                return nil
            case .drain: break
            }
            guard let supervision = state.life.supervision else { return nil }
            // Without an expiry, keep the one that a concurrent call may have set.
            if let expiry { state.life.goodbye = self.configuration.goodbye(expiry) }
            let isDrained = state.session.isDrained
            if !isDrained { state.life.waitForDrain(drained) }
            return (supervision, isDrained)
        }
        guard let begun else {
            let report = ending.map { self.finish($0) } ?? DrainReport()
            self.events.post(.stopped(nil))
            return report
        }
        if !begun.isDrained, limit > .zero { _ = await drained.wait(for: limit, by: self.deadlines) }
        // The supervisor sends DISCONNECT, or closes a connection that the server has not accepted yet.
        return await begun.0.stop()
    }

    /// Waits until the client is disconnected. Throws the error with which it gave up.
    nonisolated(nonsending) func waitUntilStopped() async throws(MQTTError) {
        let ended = self.state.withLock { $0.life.supervision?.ended }
        if let ended, await ended.wait() == nil { throw MQTTError(.cancelled, "The task was cancelled.") }
        if let error = self.state.withLock({ $0.life.stopError }) { throw error }
    }

    /// Returns the expiry that DISCONNECT may contain, in whole seconds; `nil` if this one is not permitted.
    private func possible(_ expiry: MQTTConfiguration.Expiry) -> MQTTConfiguration.Expiry? {
        let expiry = expiry.roundedUp
        // A session expiry interval that CONNECT gave as zero must stay zero (section 3.14.2.2.2).
        guard self.configuration.session.expiry.seconds == 0, expiry.seconds != 0 else { return expiry }
        self.logger.warning(
            "session not kept: set session.expiry of the configuration to keep it after disconnect(sessionExpiry:)",
            metadata: ["session_expiry": "\(expiry)"])
        return nil
    }

    /// Sends DISCONNECT and closes the connection, if there is one.
    func sayGoodbye() {
        let (connection, properties) = self.state.withLock { ($0.connection.bound, $0.life.goodbye) }
        guard let connection else { return }
        self.eventLoop.execute { connection.value.close(.normalDisconnection, nil, properties: properties) }
    }

    /// The supervision has ended, with an error if it gave up. The session remains for another `connect()`.
    private func supervisionEnded(_ error: MQTTError?, _ first: OneShot<Result<Bool, MQTTError>>) -> DrainReport {
        let ending: Ending? = self.state.withLock { state in
            state.life.supervision = nil
            switch state.life.lifecycle.supervisionEnded(isFailure: error != nil) {
            case .mayBeRepeated: return nil
            case .final:
                // Under the lock, so that deadlines of another `connect()` are not cancelled.
                self.deadlines.cancelAll()
                self.turns.reset()
                return state.end(error)
            }
        }
        let report = ending.map { self.finish($0) } ?? DrainReport()
        first.set(.failure(error ?? MQTTError(.clientStopped, "The client was disconnected.")))
        self.events.post(.stopped(error))
        return report
    }

    /// Notifies all waiting calls and all receivers that the client has stopped.
    private func finish(_ ending: Ending) -> DrainReport {
        self.resume(ending.resumptions)
        for receiver in ending.receivers { receiver.finish(ending.error) }
        if let unclaimed = ending.unclaimed { self.tell(unclaimed) }
        return ending.report
    }

    /// What to report after the client has stopped, once the lock is released.
    fileprivate struct Ending {
        let error: MQTTError?
        let report: DrainReport
        let resumptions: Resumptions
        let receivers: [any MessageReceiver]
        let unclaimed: UnclaimedMessages<MQTTMessage>.Report?
    }
}

extension ClientEngine.State {
    /// The client has stopped; with an error if it gave up.
    fileprivate mutating func end(_ error: MQTTError?) -> ClientEngine.Ending {
        self.life.stopped(error)
        let remains = self.session.remains
        self.session.end()
        var resumptions = self.takeResumptions()
        // This ends the wait of all `disconnect()` calls.
        resumptions.drained += self.life.takeDrainWaiters()
        return ClientEngine.Ending(
            error: error, report: DrainReport(notSent: remains.notSent, unknown: remains.unknown),
            resumptions: resumptions, receivers: self.receivers.endAll(),
            unclaimed: self.receivers.unclaimed.end())
    }
}

extension MQTTConfiguration.Expiry {
    /// The expiry in whole seconds, rounded up and limited to the longest interval that does not mean "never".
    fileprivate var roundedUp: Self {
        guard let (seconds, attoseconds) = self.duration?.components else { return self }
        let longest = Int64(UInt32.max - 1)
        let whole = min(max(seconds, -1), longest) + (attoseconds > 0 ? 1 : 0)
        return .after(.seconds(min(max(whole, 0), longest)))
    }
}

extension MQTTConfiguration {
    /// The properties of the final DISCONNECT. Contains a session expiry interval only if it differs from that of
    /// CONNECT; an interval of zero in CONNECT must stay zero (section 3.14.2.2.2).
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

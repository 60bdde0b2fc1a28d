import CurlewCore
import CurlewTransport
import Logging
import NIOCore
import Synchronization

// From `connect()` to `disconnect()`: what ``ClientLifecycle`` decides is carried out here.
extension ClientEngine {
    nonisolated(nonsending) func connect(retriesFirst: Bool) async throws(MQTTError) -> Bool {
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
        let outcome = await begun.first.wait()
        let end = self.state.withLock { $0.life.lifecycle.connectCallEnded(isCancelled: outcome == nil) }
        guard let result = outcome else {
            if end == .stop { await begun.stop() }
            throw MQTTError(.cancelled, "The task was cancelled.")
        }
        return try result.get()
    }

    /// Begins to connect, and reconnects from then on.
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
                ending = state.end(nil)
                return nil
            case .drain: break
            }
            guard let supervision = state.life.supervision else { return nil }
            // Another call may have said how long, and this one not.
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
        // The supervisor has the connection say goodbye, or closes one that the server has not accepted.
        return await begun.0.stop()
    }

    /// Returns when the client was disconnected; throws what ended it otherwise.
    nonisolated(nonsending) func waitUntilStopped() async throws(MQTTError) {
        let ended = self.state.withLock { $0.life.supervision?.ended }
        if let ended, await ended.wait() == nil { throw MQTTError(.cancelled, "The task was cancelled.") }
        if let error = self.state.withLock({ $0.life.stopError }) { throw error }
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
        let (connection, properties) = self.state.withLock { ($0.connection.bound, $0.life.goodbye) }
        guard let connection else { return }
        self.eventLoop.execute { connection.value.close(.normalDisconnection, nil, properties: properties) }
    }

    /// The supervision is over, with that error if it has given up. The session stays for another `connect()`.
    private func supervisionEnded(_ error: MQTTError?, _ first: OneShot<Result<Bool, MQTTError>>) -> DrainReport {
        let ending: Ending? = self.state.withLock { state in
            state.life.supervision = nil
            switch state.life.lifecycle.supervisionEnded(isFailure: error != nil) {
            case .mayBeRepeated: return nil
            case .final:
                // Before another `connect()` can schedule some of its own.
                self.deadlines.cancelAll()
                return state.end(error)
            }
        }
        let report = ending.map { self.finish($0) } ?? DrainReport()
        first.set(.failure(error ?? MQTTError(.clientStopped, "The client was disconnected.")))
        self.events.post(.stopped(error))
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

extension ClientEngine.State {
    /// The client has stopped, because of that error if there is one.
    fileprivate mutating func end(_ error: MQTTError?) -> ClientEngine.Ending {
        self.life.stopped(error)
        let remains = self.session.remains
        self.session.end()
        var resumptions = self.takeResumptions()
        // Other calls of `disconnect()` wait no longer either.
        resumptions.drained += self.life.takeDrainWaiters()
        return ClientEngine.Ending(
            error: error, report: DrainReport(notSent: remains.notSent, unknown: remains.unknown),
            resumptions: resumptions, receivers: self.receivers.endAll(),
            unclaimed: self.receivers.unclaimed.end())
    }
}

extension MQTTConfiguration.Expiry {
    /// Rounded up to whole seconds, and limited to the longest interval that is not "never".
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

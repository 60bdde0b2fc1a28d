import CurlewCore
import CurlewTransport
import Logging
import NIOCore
import Synchronization

// From CONNECT to CONNACK (MQTT 5.0 section 3.1.4).
extension BrokerConnection {
    func receivedConnect(_ connect: Connect) {
        self.useVersion(
            connect.version,
            maximumPacketSize: connect.properties.value {
                if case .maximumPacketSize(let value) = $0 { value } else { nil }
            })
        self.client.version = connect.version
        self.client.identifier = connect.clientIdentifier
        self.client.username = connect.username
        self.claimed = self.client
        self.connectNumber = self.engine.makeConnectNumber()
        self.life.receivedConnect()
        guard self.engine.hasMemory(for: connect) else {
            return self.refuse(.serverBusy, "The server's memory is full; try again a little later.")
        }
        guard self.engine.takesConnection(now: self.life.reading.lastRead) else {
            return self.refuse(.connectionRateExceeded, "Too many clients connect at once; try again a little later.")
        }
        switch self.rules.terms.admit(connect) {
        case .refused(let code, let reason): self.refuse(code, reason)
        case .admitted(let admitted):
            self.admitted = admitted
            self.pauseReading(for: .connecting)
            if self.engine.journal?.isBehind == true, admitted.sessionExpiry != .atDisconnect {
                self.waitForStore { $0.authenticate(password: connect.password) }
            } else {
                self.authenticate(password: connect.password)
            }
        }
    }

    // MARK: Authentication

    private func authenticate(password: MQTTPassword?) {
        let attempt = MQTTConnectionAttempt(
            client: self.client, password: password, certificate: self.certificate, isLocal: self.link.isLocal,
            userID: self.link.peerUserID, applicationProtocol: self.link.applicationProtocol)
        self.noteCredentials()
        if let method = self.admitted?.authenticationMethod { return self.beginAuthentication(method, attempt) }
        guard !self.rules.authenticators.isEmpty else { return self.authenticated(.abstain) }
        let (rules, reference, log) = (self.rules, self.reference, self.engine.clientLog)
        let deciding = Task {
            var decision = MQTTAuthenticationDecision.abstain
            for authenticator in rules.authenticators where decision == .abstain {
                if Task.isCancelled { return }
                do {
                    decision = try await authenticator.authenticate(attempt)
                } catch {
                    // The client is gone.
                    if Task.isCancelled { return }
                    log.write(.authenticatorFailed, ["error": "\(error)"])
                    decision = .deny(.serverUnavailable)
                }
            }
            reference.execute { [decision] in $0.authenticated(decision) }
        }
        self.authentication = .deciding(deciding)
    }

    private func authenticated(_ decision: MQTTAuthenticationDecision) {
        guard self.phase == .connecting else { return }
        self.authentication = .none
        switch decision {
        case .allow: self.prepare()
        case .allowAs(let username):
            self.client.username = username
            self.prepare()
        case .deny(let code):
            self.refuse(code.isFailure ? code : .notAuthorized, "The client is not allowed to connect.")
        case .abstain:
            // An unverified name is ignored unless the listener trusts it; if there are authenticators, the name is
            // wrong.
            guard self.client.username == nil || self.rules.authenticators.isEmpty,
                self.rules.allowsAnonymous(isLocal: self.link.isLocal)
            else {
                return self.refuse(
                    self.client.username == nil ? .notAuthorized : .badUserNameOrPassword,
                    "The client is not allowed to connect.")
            }
            if !self.rules.trustsUsernames { self.client.username = nil }
            self.prepare()
        }
    }

    // MARK: Session

    /// The client may connect: determines its identifier and its will, and attaches it to its session.
    func prepare() {
        guard var admitted else { return }
        if self.rules.usesUsernameAsClientIdentifier {
            guard let username = self.client.username, !username.isEmpty else {
                return self.refuse(
                    .notAuthorized,
                    "This listener uses the verified user name as the client identifier, and the client has none.")
            }
            self.client.identifier = username
            if !admitted.clientIdentifier.isEmpty { admitted.clientIdentifier = username }
        } else if admitted.clientIdentifier.isEmpty {
            self.client.identifier = self.engine.makeClientIdentifier(self.rules.assignedIdentifierPrefix)
        }
        if let will = admitted.will, !self.mayPublish(will) {
            guard will.topic.isReserved else {
                return self.refuse(.notAuthorized, "The client is not allowed to publish its will.")
            }
            // Bridges of mosquitto have such a will by default; refusing it would keep them from ever connecting.
            self.engine.clientLog.write(
                .willLeftOut, self.metadata.merging(["topic": "\(will.topic.string.printable)"]) { $1 })
            admitted.will = nil
        }
        self.admitted = admitted
        guard self.fitted(.connack(self.acceptance(of: admitted, isResumed: true))) != nil else {
            // [MQTT-3.1.2-24]: such a client cannot be told anything, and so cannot be served.
            return self.refuse(.packetTooLarge, "The client's Maximum Packet Size leaves no room for CONNACK.")
        }
        self.attach()
    }

    private func mayPublish(_ will: Connect.Will) -> Bool {
        will.topic.isForClients && self.rules.allows(self.client, .publish(will.topic))
    }

    private func acceptance(of admitted: Admission.Admitted, isResumed: Bool) -> ConnAck {
        self.rules.terms.accept(
            admitted, sessionPresent: isResumed,
            assignedIdentifier: admitted.clientIdentifier.isEmpty ? self.client.identifier : nil,
            authenticationData: admitted.authenticationData)
    }

    /// Acquires the session of the client identifier, after closing the connection that has it now [MQTT-3.1.4-3].
    private func attach() {
        guard self.phase == .connecting, let admitted else { return }
        guard self.mayStillConnect() else { return }
        let (engine, client, rules) = (self.engine, self.client, self.rules)
        let isKept = admitted.sessionExpiry != .atDisconnect
        let found = engine.sessions.findOrInsert(
            client.identifier, maximum: isKept ? engine.configuration.limits.maximumSessions : .max
        ) {
            engine.makeSession(for: client, rules)
        }
        guard let session = found else {
            return self.refuse(.quotaExceeded, "The server has reached its session limit.")
        }
        let conflict = engine.configuration.behavior.identifierConflict
        switch session.acquire(self.handle, number: self.connectNumber, for: client, conflict: conflict) {
        case .over:
            // If it is still in the registry, it is about to be removed.
            engine.sessions.remove(session)
            self.attach()
        case .foreign:
            self.refuse(.clientIdentifierNotValid, "The client identifier belongs to the session of another user.")
        case .foreignAway:
            engine.clientLog.write(.sessionReplaced, self.metadata)
            // If its client has come back in the meantime, it does not end; its connection has to be closed first.
            engine.end(session, if: .away, on: self.worker)
            self.attach()
        case .superseded:
            // This client may have given up, and reconnected as the one that has the session now.
            self.link.drain(atMost: Self.mostSettled, within: Self.settlingTime) { [reference] in
                reference.onLoop?.attachAgainAsLast()
            }
        case .occupied(let other):
            let reference = self.reference
            let attachAgain: @Sendable () -> Void = { reference.execute { $0.attach() } }
            other.worker.eventLoop.execute {
                guard let connection = other.onLoop else { return attachAgain() }
                // What it has sent is processed first: a DISCONNECT that has arrived deletes its will [MQTT-3.14.4-3].
                connection.settle {
                    other.onLoop?.close(.sessionTakenOver, "Another connection uses the same client identifier.")
                    attachAgain()
                }
            }
        case .acquired(let incoming):
            if admitted.cleanStart, session.state.withLock({ $0.hasBeenUsed }) {  // [MQTT-3.1.2-4]
                engine.end(session, on: self.worker)
                self.attach()
            } else {
                self.begin(session, incoming, admitted)
            }
        }
    }

    /// Refuses the client if its credentials are no longer valid.
    private func mayStillConnect() -> Bool {
        if self.link.isStillTrusted, self.hasValidCredentials() { return true }
        self.refuse(.notAuthorized, "The client's right to connect has changed meanwhile; connect again.")
        return false
    }

    private func attachAgainAsLast() {
        guard self.phase == .connecting else { return }
        self.connectNumber = self.engine.makeConnectNumber()
        self.attach()
    }

    private func begin(
        _ session: HostedSession, _ incoming: BrokerIncoming, _ admitted: Admission.Admitted
    ) {
        self.engine.cancelDeadlines(of: session)
        let version = self.engine.authorizationVersion.load(ordering: .acquiring)
        let (mustRecheck, mustForgetRoutes) = session.state.withLock { state in
            if state.rules !== self.rules { state.rulesVersion = nil }
            state.client = self.client
            state.rules = self.rules
            let hasRoutes = state.hasBeenUsed && !state.subscriptions.isEmpty
            return (state.hasBeenUsed, hasRoutes && state.rulesVersion != version)
        }
        guard mustRecheck else { return self.start(session, incoming, admitted) }
        // The rules may have changed since the client subscribed and the messages were queued. No more messages must
        // come by the earlier ones.
        if mustForgetRoutes { self.engine.forgetRoutes() }
        self.life.recheckBegan()
        self.engine.recheck(session, on: self.worker) { self.rechecked(session, incoming, admitted) }
    }

    /// The rights of the session have been checked, which may have taken several turns.
    private func rechecked(_ session: HostedSession, _ incoming: BrokerIncoming, _ admitted: Admission.Admitted) {
        if self.life.rechecked() == .start, self.mayStillConnect() {
            self.start(session, incoming, admitted)
        } else {
            self.giveBack(session, incoming)
        }
        if self.life.isLinkClosed { self.end() }
        for body in exchange(&self.afterRecheck, with: []) { body() }
    }

    /// The connection is over before the client was accepted: the session waits for its client as before.
    private func giveBack(_ session: HostedSession, _ incoming: BrokerIncoming) {
        let now = self.engine.recorder.timeOfDay(self.engine.clock.now())
        let elapsed = session.state.withLock { state in
            state.incoming = incoming
            return now - (state.disconnectedAt ?? now)
        }
        self.engine.detached(session, since: max(.zero, elapsed), on: self.worker)
        self.letGo(of: session)
    }

    private func letGo(of session: HostedSession) {
        session.state.withLock { state in
            if state.connection === self.handle { state.connection = nil }
        }
    }

    /// The connection has its session: accepts the client.
    private func start(
        _ session: HostedSession, _ incoming: BrokerIncoming, _ admitted: Admission.Admitted
    ) {
        self.session = session
        self.incoming = incoming
        self.incoming.connected(receiveMaximum: admitted.version == .v5_0 ? self.rules.terms.receiveMaximum : nil)
        self.aliases.reset(maximum: admitted.version == .v5_0 ? self.rules.terms.topicAliasMaximum : 0)
        self.life.started(keepAlive: admitted.keepAlive, now: self.engine.clock.now())
        let (isResumed, position) = session.state.withLock { state in
            defer { state.hasBeenUsed = true }
            self.retained = exchange(&state.retained, with: PendingRetained())
            state.claimed = self.claimed
            state.authenticationMethod = admitted.authenticationMethod
            state.credentials = self.credentials
            state.expiry = admitted.sessionExpiry
            state.will = self.admitted?.will.map(PendingWill.init)
            self.admitted?.will = nil
            state.session.connected(admitted.outgoing)
            state.isWritable = self.link.isWritable
            state.isFlushPending = false
            state.out = ByteBuffer()
            state.disconnectedAt = nil
            let position = session.recordSession(&state)
            state.countNames()
            session.account(&state, isExact: true)
            return (state.hasBeenUsed, position)
        }
        session.isConnected.store(true, ordering: .relaxed)
        let count = self.engine.connectedClients.wrappingAdd(1, ordering: .relaxed).newValue
        self.engine.maximumOfConnectedClients.max(count, ordering: .relaxed)
        self.reply(.connack(self.acceptance(of: admitted, isResumed: isResumed)))
        self.admitted?.authenticationData = nil
        self.engine.logger.debug("client connected", metadata: self.metadata)
        self.engine.events.tell(.connections, .connected(self.client, isResumed: isResumed))
        self.holdReplies(for: position)
        // The end of the identifier's last session has to be stored as well.
        if !isResumed, let journal = self.engine.journal {
            self.output.repliesWait(for: journal.end(of: self.client.identifier))
        }
        // CONNACK is sent first [MQTT-3.2.0-1], then messages that an earlier connection left unacknowledged.
        self.flush()
        self.output.greeted()
        self.resumeReading(after: .connecting)
        self.process()
    }

    /// Refuses the client with CONNACK [MQTT-3.2.2-7].
    func refuse(_ reasonCode: ReasonCode, _ reason: String) {
        guard self.phase == .connecting || self.phase == .challenged else { return }
        self.engine.clientLog.write(
            .refused,
            self.metadata.merging(["reason": "\(reasonCode)", "detail": "\(reason.printable)"]) { $1 })
        self.engine.events.tell(.connections, .refused(self.client, reasonCode))
        var properties = Properties()
        if self.version == .v5_0 {
            if self.admitted?.wantsProblemInformation ?? true { properties.reasonString = reason }
            if reasonCode == .useAnotherServer || reasonCode == .serverMoved {
                properties.serverReference = self.rules.terms.serverReference
            }
        }
        self.reply(.connack(ConnAck(reasonCode: reasonCode, properties: properties)))
        self.finish(reasonCode)
    }

    /// The connection is over: gives the session back, for the next connection or for its end.
    ///
    /// What the end of the connection leads to is stored in several groups. After a crash in between, the restored
    /// broker does the rest: it ends what is due, and publishes the will if that is still stored.
    func leave(_ session: HostedSession) {
        let timeOfDay = self.engine.recorder.timeOfDay(self.engine.clock.now())
        session.isConnected.store(false, ordering: .relaxed)
        self.engine.connectedClients.wrappingSubtract(1, ordering: .relaxed)
        session.connectionBytes.store(0, ordering: .relaxed)
        session.retainedBegan.withLock { $0 = nil }
        let released = session.state.withLock { state in
            state.incoming = self.incoming
            state.retained = exchange(&self.retained, with: PendingRetained())
            state.session.disconnected()
            // The will may have been deleted.
            state.countNames()
            state.disconnectedAt = timeOfDay
            session.recordSession(&state)
            session.account(&state, isExact: true)
            state.isWritable = false
            state.out = ByteBuffer()
            return state.takePublishersToRelease()
        }
        session.release(released)
        self.engine.logger.debug("client disconnected", metadata: self.metadata)
        self.engine.detached(session, on: self.worker)
        self.letGo(of: session)
    }
}

extension PendingWill {
    fileprivate init(_ will: Connect.Will) {
        var properties = will.properties
        self.delay = .seconds(Int64(properties.willDelayInterval ?? 0))
        properties.list.removeAll { if case .willDelayInterval = $0 { true } else { false } }
        // In its own buffer: the one that it was received in may be much larger.
        self.message = MQTTBrokerMessage(
            topic: will.topic, payload: ByteBuffer(bytes: will.payload.readableBytesView), qos: will.qos,
            retain: will.retain, properties: properties)
    }
}

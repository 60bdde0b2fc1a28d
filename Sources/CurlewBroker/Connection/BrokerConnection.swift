import CurlewCore
import CurlewTransport
import Logging
import NIOCore
import Synchronization

/// A connection of a client, from its first byte to its last: decodes packets, and hands them to the session and the
/// engine. Everything here happens on the connection's event loop.
final class BrokerConnection: LinkHandler, HostedConnection {
    let engine: BrokerEngine
    let worker: Worker
    let link: any Link
    let rules: ClientRules
    let certificate: MQTTClientCertificate?
    /// Represents this connection for other threads and the engine; refers to it until the link is closed.
    private(set) lazy var handle = ConnectionHandle(self, worker: self.worker)
    /// The same for closures of its own.
    private(set) lazy var reference = ConnectionReference(self, eventLoop: self.worker.eventLoop)

    /// How far the client has come, whether it is read, and which deadline is next.
    var life: ConnectionLife
    var version = ProtocolVersion.v5_0
    var client: MQTTBrokerClient
    var input: PacketInput
    /// How many bytes of an incomplete WebSocket frame the link held after the last read.
    var heldBytes = 0
    var isProcessing = false
    /// Whether the client's messages wait for their receivers.
    var publishHold = PublishHold<ObjectIdentifier>()
    /// The packets that wait for that.
    var waitingPackets = WaitingPackets()
    /// When the timer of the hold fires.
    var holdWatchedUntil: Timestamp?
    /// What the connection holds of the broker's memory.
    var memory = CountedMemory()
    /// The SUBSCRIBE or UNSUBSCRIBE that is being processed; later packets wait.
    var ongoing: OngoingPacket?
    /// Called once everything that was read is processed.
    var doneWithInput: [() -> Void] = []
    /// The error in the bytes after the packets that wait. No later byte is decoded.
    var malformedInput: DecodingError?
    /// Called once the rights of the client's session are checked.
    var afterRecheck: [() -> Void] = []
    /// Answers, and what waits for the store.
    var output = ConnectionOutput()
    /// Called when the store is no longer behind.
    var whenStored: ((BrokerConnection) -> Void)?

    // From CONNECT on.
    /// What the client claims to be, before authentication.
    var claimed: MQTTBrokerClient
    /// The credentials of that client when the authenticators were asked.
    var credentials: [MQTTCredentialStatus] = []
    /// The version of the rules by which the client's right to be connected was checked last.
    private var checkedVersion = 0
    /// The order of CONNECT packets: of two connections with the same identifier, the one with the higher number
    /// counts.
    var connectNumber: UInt64 = 0
    var admitted: Admission.Admitted?
    var authentication = Authentication.none
    /// The session, once this connection has it.
    var session: HostedSession?
    var incoming = BrokerIncoming()
    var aliases = IncomingTopicAliases()
    var permissions = PermissionCache()
    /// Retained messages still to be delivered to new subscriptions.
    var retained = PendingRetained()
    /// The client's Maximum Packet Size, if it has one.
    var maximumPacketSize: UInt32?
    var messageRate: RateLimit?
    var byteRate: RateLimit?

    init(
        _ link: any Link, rules: ClientRules, certificate: MQTTClientCertificate?, engine: BrokerEngine, worker: Worker
    ) {
        self.link = link
        self.rules = rules
        self.certificate = certificate
        self.engine = engine
        self.worker = worker
        let now = engine.clock.now()
        self.client = MQTTBrokerClient(identifier: "", address: link.peer, listener: rules.name)
        self.claimed = self.client
        self.input = PacketInput(
            PacketDecoder(
                from: .client, version: .v5_0,
                maximumPacketSize: min(Self.largestConnect, rules.terms.maximumPacketSize)))
        let limits = engine.configuration.limits
        self.life = ConnectionLife(
            connectTimeout: limits.connectTimeout, packetTimeout: limits.packetTimeout, now: now)
        self.messageRate = limits.messageRate.map { RateLimit(perSecond: $0.perSecond, burst: $0.burst, now: now) }
        self.byteRate = limits.byteRate.map { RateLimit(perSecond: $0.perSecond, burst: $0.burst, now: now) }
    }

    /// The size of a CONNECT with every field as long as possible, and some user properties.
    private static let largestConnect: UInt32 = 512 << 10

    /// The link is open: counts it among the connections.
    func open() {
        self.worker.onLoop.connections[ObjectIdentifier(self)] = self
        self.worker.counters.connectionsAccepted.count()
        self.countMemory()
        // A connection is small: there is room for it unless the largest clients still have to give memory back.
        let hasMemory = self.engine.budget.room(holding: 0) > 0
        let ofListener = self.rules.connections.wrappingAdd(1, ordering: .relaxed).newValue
        guard let count = self.engine.links.add() else { return self.turnAway() }
        guard hasMemory else { return self.turnAway() }
        if count > self.engine.configuration.limits.maximumConnections ?? .max
            || ofListener > self.rules.maximumConnections ?? .max
        {
            self.engine.clientLog.write(.tooManyConnections, self.metadata)
            self.turnAway()
        }
    }

    /// Closes the link without an answer; later, because this connection would not be notified before it is the link's
    /// handler.
    private func turnAway() {
        _ = self.life.closed()
        self.worker.eventLoop.execute { [reference] in reference.onLoop?.link.close() }
    }

    /// The client that a log line is about: its address, and its names if details are logged.
    var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = ["address": "\(self.client.address)"]
        if self.engine.clientLog.isDetailed {
            metadata["client"] = "\(self.client.identifier.printable)"
            if let username = self.client.username { metadata["user"] = "\(username.printable)" }
        }
        return metadata
    }

    /// How far the client has come.
    var phase: ConnectionLife.Phase { self.life.phase }

    // MARK: The right to be connected

    /// Notes the client's credentials; before the authenticators decide, so that no change is missed.
    func noteCredentials() {
        self.checkedVersion = self.engine.authorizationVersion.load(ordering: .acquiring)
        self.credentials = self.rules.credentials(of: self.claimed, method: self.admitted?.authenticationMethod)
    }

    /// Whether the client could still connect as it did: its user and password, certificate authority and pre-shared
    /// key are unchanged.
    func hasValidCredentials() -> Bool {
        let version = self.engine.authorizationVersion.load(ordering: .acquiring)
        guard version != self.checkedVersion else { return true }
        self.checkedVersion = version
        return self.link.isStillTrusted
            && self.rules.credentials(of: self.claimed, method: self.admitted?.authenticationMethod) == self.credentials
    }

    /// The rules have changed: disconnects a client that could not connect any more as it did.
    func recheckCredentials() {
        guard self.phase == .connected, let session, !self.hasValidCredentials() else { return }
        self.settle { [reference, engine, worker] in
            reference.onLoop?.close(
                .administrativeAction, "The client's credentials have changed or were revoked; connect again.")
            engine.endSessionOfRemovedUser(session, on: worker)
        }
    }

    // MARK: Time

    func tick(now: Timestamp) {
        guard !self.life.isLinkClosed, !self.endIfGreedy() else { return }
        switch self.timeOut(now: now) {
        case .connect?:
            if self.whenStored != nil {
                self.refuse(.serverBusy, "The server's storage is behind; try again a little later.")
            } else {
                self.engine.clientLog.write(.tooLate, self.metadata)
                self.finish()
            }
        case .keepAlive?:
            self.closeOverdue(
                .keepAlive, .keepAliveTimeout, "Nothing was received for one and a half times the keep alive.")
        case .packet?: self.closeOverdue(.packet, .quotaExceeded, "A packet was not complete in time.")
        case nil: break
        }
    }

    /// Closes the connection, unless it turns out that a busy loop has not yet read bytes that came in time.
    private func closeOverdue(_ timeOut: ConnectionLife.TimeOut, _ reasonCode: ReasonCode, _ reason: String) {
        self.settle { [reference] in
            guard let connection = reference.onLoop,
                connection.timeOut(now: connection.engine.clock.now()) == timeOut
            else { return }
            connection.close(reasonCode, reason)
        }
    }

    private func timeOut(now: Timestamp) -> ConnectionLife.TimeOut? {
        self.life.timeOut(answersWaitForStore: self.output.isUncommitted, now: now)
    }

    // MARK: The end

    /// Tells the client why, and ends the connection; its will is published. Packets of the client that wait for
    /// receivers are processed first.
    func close(_ reasonCode: ReasonCode, _ reason: String) {
        guard self.phase != .closed else { return }
        guard self.isProcessing || self.waitingPackets.isEmpty else {
            return self.afterInput { [reference] in reference.onLoop?.close(reasonCode, reason) }
        }
        let isOpening = self.phase != .connected
        self.engine.clientLog.write(
            .closed, self.metadata.merging(["reason": "\(reasonCode)", "detail": "\(reason.printable)"]) { $1 })
        if isOpening {
            if self.phase != .opening { self.refuse(reasonCode, reason) } else { self.finish() }
            return
        }
        if self.version == .v5_0, !self.output.isGreetingUncommitted {  // [MQTT-3.14.0-1]
            var properties = Properties()
            if self.admitted?.wantsProblemInformation == true { properties.reasonString = reason }
            if reasonCode == .useAnotherServer || reasonCode == .serverMoved || reasonCode == .serverShuttingDown {
                properties.serverReference = self.rules.terms.serverReference
            }
            self.send(.disconnect(Disconnect(reasonCode: reasonCode, properties: properties)))
        }
        self.finish(reasonCode)
    }

    /// Ends the connection after everything that was written has left. The session remains without it.
    func finish(_ reasonCode: ReasonCode = .unspecifiedError) {
        guard self.phase != .closed else { return }
        self.dropUncommitted()
        self.flushReplies()
        self.detach(reasonCode)
        self.life.linkCloses()
        self.link.closeAfterWrites(within: Self.closingTime)
    }

    private static let closingTime = Duration.seconds(2)

    func linkClosed(_ error: TransportError?) {
        let hasWill = self.session?.state.withLock { state in
            state.isWritable = false
            return state.will != nil
        }
        switch self.life.linkClosed(hasMuchToDo: hasWill == true || !self.waitingPackets.isEmpty) {
        case .end: self.end()
        // Many connections may be lost together, and their wills each go to many receivers.
        case .processFirst: self.waitForTurn()
        case .wait: break
        }
    }

    func end() {
        guard self.life.ended() == .forget else { return }
        self.worker.onLoop.connections[ObjectIdentifier(self)] = nil
        self.detach(.unspecifiedError)
        self.forgetMemory()
        self.rules.connections.wrappingSubtract(1, ordering: .relaxed)
        self.engine.links.remove()
        self.handle.forget()
        self.reference.forget()
    }

    private func detach(_ reasonCode: ReasonCode) {
        guard self.life.closed() == .leave else { return }
        self.authentication.cancel()
        self.whenStored = nil
        guard let session = exchange(&self.session, with: nil) else { return }
        self.leave(session)
        self.engine.events.tell(.connections, .disconnected(self.client, reasonCode))
    }
}

@available(*, unavailable)
extension BrokerConnection: Sendable {}

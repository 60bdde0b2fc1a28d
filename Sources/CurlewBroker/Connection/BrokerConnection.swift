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
    private(set) var isProcessing = false
    /// Whether the client's messages wait for their receivers.
    var publishHold = PublishHold<ObjectIdentifier>()
    /// The packets that wait for that.
    var waitingPackets = WaitingPackets()
    /// When the timer of the hold fires.
    var holdWatchedUntil: Timestamp?
    /// How much of the connection's memory is counted in the broker's.
    var countedBytes = 0
    /// Whether the memory may have changed since.
    var mustCount = true
    /// How much memory is expected back, if the connection was told to close for that.
    var expectation: MemoryBudget.Expectation?
    /// The SUBSCRIBE or UNSUBSCRIBE that is being processed; later packets wait.
    var ongoing: OngoingPacket?
    /// Called once everything that was read is processed.
    private var afterInput: [() -> Void] = []
    /// The error in the bytes after the packets that wait. No later byte is decoded.
    private(set) var malformedInput: DecodingError?
    /// Called once the rights of the client's session are checked.
    var afterRecheck: [() -> Void] = []
    /// Answers to send at the end of this round of the event loop.
    var replies = ByteBuffer()
    /// The position in the journal that they wait for, if there is a store.
    var repliesPosition = JournalPosition.none
    /// Output that waits for the store.
    var uncommitted = UncommittedOutput()
    /// Whether it includes CONNACK.
    var isGreetingUncommitted = false
    /// Called when the store is no longer behind.
    var whenStored: ((BrokerConnection) -> Void)?
    /// Whether the loop knows that this connection waits for the store.
    var isWaitingForCommit = false
    var isFlushPending = false

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
    /// Whether the client is a bridge of another broker, which must not receive its own messages.
    var isBridge = false
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
    private(set) var maximumPacketSize: UInt32?
    private var messageRate: RateLimit?
    private var byteRate: RateLimit?

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

    // MARK: Reading

    /// How far the client has come.
    var phase: ConnectionLife.Phase { self.life.phase }

    func linkRead(_ bytes: ByteBuffer) {
        guard self.phase != .closed, self.malformedInput == nil else { return }
        let now = self.engine.clock.now()
        self.life.reading.received(now: now)
        self.worker.counters.bytesReceived.count(bytes.readableBytes)
        if let wait = self.byteRate?.take(bytes.readableBytes, now: now), wait > .zero {
            self.rest(for: wait)
        }
        self.mustCount = true
        self.input.append(bytes)
        if self.phase == .opening, self.turnAwayForeign() { return }
        // Bytes may arrive even while reading is off: when the peer closes, everything on its way arrives at once.
        if !self.isPaused(for: .turn) { self.process() }
        self.checkPartialPacket()
    }

    func linkReadCompleted() {}

    /// Processes the packets that have arrived, until others have to have their turn.
    func process() {
        // Processing a packet may cause more to be read.
        guard !self.isProcessing else { return }
        self.isProcessing = true
        let outcome = Result { () throws(DecodingError) in try self.processPackets() }
        self.isProcessing = false
        switch outcome {
        case .success(.done): self.inputProcessed()
        case .success(.turnIsOver): self.waitForTurn()
        case .failure(let error):
            self.malformedInput = error
            guard !self.waitingPackets.isEmpty else { return self.inputProcessed() }
            // Messages that the client has published before are still processed.
            self.life.settle()
            self.waitForTurn()
        }
    }

    private enum Processed {
        /// Nothing more can be processed now.
        case done
        /// There may be more, after others have had their turn.
        case turnIsOver
    }

    private func processPackets() throws(DecodingError) -> Processed {
        let now = self.life.reading.lastRead
        let loop = self.worker.onLoop
        let limit = loop.work + LoopState.workPerTurn
        var packets = 0
        while self.phase != .closed, self.phase != .connecting {
            if !self.life.canHoldMessages { self.publishHold.end() }
            if self.ongoing != nil {
                self.continuePacket()
            } else if let packet = try self.nextPacket() {
                self.worker.counters.messagesReceived.count()
                packets += 1
                self.received(consume packet, now: now)
            } else {
                break
            }
            loop.work += 1
            if loop.work >= limit { return .turnIsOver }
        }
        self.life.partialPacket.received(waiting: self.input.waiting, hasNewBeginning: packets > 0, now: now)
        return .done
    }

    /// Lets other connections have their turn before processing continues.
    private func waitForTurn() {
        self.pauseReading(for: .turn)
        self.worker.continueLater { [reference] in reference.onLoop?.process() }
    }

    /// Everything that was read is processed, except a partial packet and packets that wait for receivers.
    private func inputProcessed() {
        if self.life.processed() == .settled { self.resumeReading(after: .receivers) }
        if let malformedInput, self.phase != .closed { self.malformed(malformedInput) }
        for body in exchange(&self.afterInput, with: []) { body() }
        if self.life.isLinkClosed { self.end() }
        self.resumeReading(after: .turn)
    }

    /// Calls `body` once everything that was read from the client is processed, without waiting for slow receivers.
    private func afterInput(_ body: @escaping () -> Void) {
        let isWaiting = self.isPaused(for: .turn)
        guard self.phase == .connected, isWaiting || !self.waitingPackets.isEmpty else { return body() }
        self.afterInput.append(body)
        self.life.settle()
        if !isWaiting { self.waitForTurn() }
    }

    @inline(__always)
    private func received(_ packet: consuming Packet, now: Timestamp) {
        if self.phase == .connected, case .publish(let publish) = packet {
            if let wait = self.messageRate?.take(1, now: now), wait > .zero { self.rest(for: wait) }
            self.receivedPublish(consume publish, now: now)
        } else {
            self.receivedOther(packet, now: now)
        }
    }

    private func receivedOther(_ packet: Packet, now: Timestamp) {
        switch (self.phase, packet) {
        case (.opening, .connect(let connect)): self.receivedConnect(connect)
        case (.opening, _):
            // [MQTT-3.1.0-1]
            self.engine.clientLog.write(.noConnect, self.metadata)
            self.finish()
        case (.challenged, .auth(let auth)), (.connected, .auth(let auth)): self.receivedAuth(auth)
        case (.challenged, .disconnect): self.finish()
        case (.challenged, _): self.close(.protocolError, "Only AUTH may be sent during an authentication.")
        case (.connected, .puback(let packet)): self.receivedPuback(packet)
        case (.connected, .pubrec(let packet)): self.receivedPubrec(packet)
        case (.connected, .pubrel(let packet)): self.receivedPubrel(packet)
        case (.connected, .pubcomp(let packet)): self.receivedPubcomp(packet)
        case (.connected, .subscribe(let packet)): self.receivedSubscribe(packet)
        case (.connected, .unsubscribe(let packet)): self.receivedUnsubscribe(packet)
        case (.connected, .pingreq): self.reply(.pingresp)  // [MQTT-3.12.4-1]
        case (.connected, .disconnect(let packet)): self.receivedDisconnect(packet)
        default: self.close(.protocolError, "\(packet.type) must not be sent here.")  // [MQTT-3.1.0-2]
        }
    }

    private func malformed(_ error: DecodingError) {
        self.engine.clientLog.write(.notMQTT, self.metadata.merging(["error": "\(error)"]) { $1 })
        guard self.phase == .opening else { return self.close(error.reasonCode, "\(error)") }
        if case .protocolVersion = error {
            // [MQTT-3.1.2-2]; clients of later versions understand this version too.
            self.version = .v3_1_1
            self.send(.connack(ConnAck(reasonCode: .unsupportedProtocolVersion)))
        }
        self.finish()
    }

    /// Applies the client's version and the packet sizes that both sides accept; from CONNECT on.
    func useVersion(_ version: ProtocolVersion, maximumPacketSize: UInt32?) {
        self.version = version
        self.maximumPacketSize = maximumPacketSize
        self.input.use(
            PacketDecoder(from: .client, version: version, maximumPacketSize: self.rules.terms.maximumPacketSize))
    }

    // MARK: Settling

    /// Processes everything that the client has sent by now, even if reading is paused; then calls `body`, even if the
    /// connection has ended.
    ///
    /// What a client has sent takes effect before what others do to its session: its DISCONNECT before a takeover, its
    /// PUBLISH before an administrator disconnects it.
    func settle(then body: @escaping @Sendable () -> Void) {
        guard !self.life.isRechecking else { return self.afterRecheck.append { self.settle(then: body) } }
        guard self.phase == .connected else { return body() }
        self.link.drain(atMost: Self.mostSettled, within: Self.settlingTime) { [reference] in
            if let connection = reference.onLoop { connection.afterInput(body) } else { body() }
        }
    }

    /// How many bytes are still read from a client whose connection is to be closed, which is more than the kernel
    /// buffers for a connection, and how long that may take.
    static let mostSettled = 16 << 20
    static let settlingTime = Duration.seconds(1)

    /// Closes the connection after what the client has sent by now.
    func settleAndClose(_ reasonCode: ReasonCode, _ reason: String) {
        self.settle { [reference] in reference.onLoop?.close(reasonCode, reason) }
    }

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

    // MARK: Pausing

    func pauseReading(for reason: ClientReading.Pauses) { self.change(self.life.reading.pause(for: reason)) }

    func resumeReading(after reason: ClientReading.Pauses) {
        guard self.isPaused(for: reason) else { return }
        self.change(self.life.reading.resume(after: reason, now: self.engine.clock.now()))
    }

    func isPaused(for reason: ClientReading.Pauses) -> Bool { self.life.reading.pauses.contains(reason) }

    private func change(_ change: ClientReading.Change) {
        switch change {
        case .stop: self.link.setReading(false)
        case .start where self.phase != .closed: self.link.setReading(true)
        case .start, .none: break
        }
    }

    /// Pauses reading for the rate limits.
    private func rest(for duration: Duration) {
        guard self.life.reading.exceededRate(for: duration) else { return }
        self.pauseReading(for: .rate)
        self.restOn(for: duration)
    }

    private func restOn(for duration: Duration) {
        self.engine.deadlines.schedule(after: duration) { [reference] in
            reference.execute { connection in
                if let rest = connection.life.reading.rateRest(now: connection.engine.clock.now()) {
                    connection.restOn(for: rest)
                } else {
                    connection.resumeReading(after: .rate)
                }
            }
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
        self.life.timeOut(answersWaitForStore: !self.uncommitted.isEmpty, now: now)
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
        if self.version == .v5_0, !self.isGreetingUncommitted {  // [MQTT-3.14.0-1]
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

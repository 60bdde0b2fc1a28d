import CurlewCore
import CurlewTransport
import Logging
import NIOCore
import Synchronization

/// One connection of a client, from its first byte to its last: bytes to packets, packets to the session and the engine. Everything here
/// happens on the connection's event loop.
final class BrokerConnection: LinkHandler, HostedConnection {
    enum Phase {
        /// Nothing but CONNECT may come.
        case opening
        /// The client has said who it is, and is being authenticated or waits for its session; nothing is read.
        case connecting
        /// The client is in an authentication of several steps, and nothing but AUTH may come.
        case challenged
        case connected
        /// Nothing that comes in is looked at any more.
        case closed
    }

    let engine: BrokerEngine
    let worker: Worker
    let link: any Link
    let rules: ClientRules
    let certificate: MQTTClientCertificate?
    /// What other threads know of this connection; refers to it until the link is closed.
    private(set) lazy var handle = ConnectionHandle(self, worker: self.worker)
    /// The same for closures of its own.
    private(set) lazy var reference = ConnectionReference(self, eventLoop: self.worker.eventLoop)

    var phase = Phase.opening
    var version = ProtocolVersion.v5_0
    var client: MQTTBrokerClient
    var input: PacketInput
    private(set) var isProcessing = false
    /// Whether the client's messages wait for their receivers.
    var publishHold = PublishHold<ObjectIdentifier>()
    /// What waits meanwhile.
    var waitingPackets = WaitingPackets()
    /// When a timer will see to the end of that.
    var holdWatchedUntil: Timestamp?
    /// How long the rest of a packet has been awaited.
    private(set) var partialPacket: PartialPacket
    /// What is counted of the connection in the broker's memory.
    var countedBytes = 0
    /// Whether it may hold more or less than was counted.
    var mustCount = true
    /// Whether nothing is counted any more.
    var isForgotten = false
    /// What is expected to be given back by closing; `nil` unless the client was told to close for that.
    var expectation: MemoryBudget.Expectation?
    /// The SUBSCRIBE or UNSUBSCRIBE that is being processed; packets behind it wait.
    var ongoing: OngoingPacket?
    /// What waits until everything that was read is processed.
    private var afterInput: [() -> Void] = []
    /// Whether that is processed whoever cannot keep up, since the connection is about to end.
    private var isSettling = false
    /// What is wrong with the bytes behind the packets that wait; no later byte is looked at.
    private(set) var malformedInput: DecodingError?
    /// What waits until the rights of the client's session are checked; `nil` while they are not being checked.
    var afterRecheck: [() -> Void]?
    /// The link is closed, and ``linkClosed(_:)`` was called. The connection ends when what was read is processed.
    private(set) var isLinkGone = false
    /// Why nothing is read.
    private(set) var pausedFor: PauseReasons = []
    /// Answers that wait for the end of this round of the event loop.
    var replies = ByteBuffer()
    /// The position in the journal that they wait for, if there is a store.
    var repliesPosition = JournalPosition.none
    /// What waits for the store.
    var uncommitted = UncommittedOutput()
    /// Whether CONNACK is a part of that.
    var isGreetingUncommitted = false
    /// What is done when the store is no longer behind.
    var whenStored: ((BrokerConnection) -> Void)?
    /// Whether the loop knows that this connection waits for the store.
    var isWaitingForCommit = false
    var isFlushPending = false
    var hasClosed = false
    private let opened: Timestamp
    var lastRead: Timestamp
    /// Until when the client's rate limit, or the store, has kept us from reading.
    var restedUntil: Timestamp

    // From CONNECT on.
    /// What the client has said about itself, before it was known who it is.
    var claimed: MQTTBrokerClient
    /// What the authenticators knew about that when they were asked.
    var credentials: [MQTTCredentialStatus] = []
    /// The version of the rules by which the client's right to be connected was checked last.
    private var checkedVersion = 0
    /// The order of CONNECT packets: of two connections with the same identifier, the one with the higher number counts.
    var connectNumber: UInt64 = 0
    /// Whether the client is another broker's bridge, which does not want back what it has published.
    var isBridge = false
    var admitted: Admission.Admitted?
    /// The authentication of several steps that waits for the client.
    var exchange: (any MQTTAuthenticationExchange)?
    /// The authenticator's work; cancelled when the client has gone.
    var authentication: Task<Void, Never>?
    /// Whether an authenticator is at work on such a step.
    var isAuthenticating = false
    /// The session, from the moment that it is this connection's.
    var session: HostedSession?
    var incoming = BrokerIncoming()
    var aliases = IncomingTopicAliases()
    var permissions = PermissionCache()
    /// Retained messages that are still to be sent for new subscriptions.
    var retained = PendingRetained()
    /// The largest packet that the client takes, if it has said so.
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
        self.opened = now
        self.lastRead = now
        self.restedUntil = now
        self.client = MQTTBrokerClient(identifier: "", address: link.peer, listener: rules.name)
        self.claimed = self.client
        self.input = PacketInput(
            PacketDecoder(
                from: .client, version: .v5_0,
                maximumPacketSize: min(Self.largestConnect, rules.terms.maximumPacketSize)))
        let limits = engine.configuration.limits
        self.partialPacket = PartialPacket(patience: limits.packetTimeout)
        self.messageRate = limits.messageRate.map { RateLimit(perSecond: $0.perSecond, burst: $0.burst, now: now) }
        self.byteRate = limits.byteRate.map { RateLimit(perSecond: $0.perSecond, burst: $0.burst, now: now) }
    }

    /// A CONNECT whose every field is as long as it can be, with some user properties.
    private static let largestConnect: UInt32 = 512 << 10

    /// The link is open: counts it among the connections.
    func open() {
        self.worker.onLoop.connections[ObjectIdentifier(self)] = self
        self.worker.counters.connectionsAccepted.count()
        self.countMemory()
        // A connection is small, so that there is room for it unless the largest holders have yet to give something back.
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

    /// Closes the link without a word. Later: before this connection owns it, it could not be told of the end, and would count for ever.
    private func turnAway() {
        self.phase = .closed
        self.worker.eventLoop.execute { [reference] in reference.onLoop?.link.close() }
    }

    /// Whom a line of the log is about: by address, and by names for those who want details.
    var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = ["address": "\(self.client.address)"]
        if self.engine.clientLog.isDetailed {
            metadata["client"] = "\(self.client.identifier.printable)"
            if let username = self.client.username { metadata["user"] = "\(username.printable)" }
        }
        return metadata
    }

    // MARK: Reading

    func linkRead(_ bytes: ByteBuffer) {
        guard self.phase != .closed, self.malformedInput == nil else { return }
        self.lastRead = self.engine.clock.now()
        self.worker.counters.bytesReceived.count(bytes.readableBytes)
        if let wait = self.byteRate?.take(bytes.readableBytes, now: self.lastRead), wait > .zero {
            self.rest(for: wait)
        }
        self.mustCount = true
        self.input.append(bytes)
        if self.phase == .opening, self.turnAwayForeign() { return }
        // It may come though nothing is to be read: with the peer's close, all that was under way comes at once.
        if !self.pausedFor.contains(.turn) { self.process() }
        self.checkPartialPacket()
    }

    func linkReadCompleted() {}

    /// Processes the packets that are there, as long as the next may be taken and others need not have their turn first.
    func process() {
        // What a packet leads to may have more read, in the middle of it.
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
            // What the client has published before counts.
            self.isSettling = true
            self.waitForTurn()
        }
    }

    private enum Processed {
        /// There is nothing more that can be processed now.
        case done
        /// There may be, after others have had their turn.
        case turnIsOver
    }

    private func processPackets() throws(DecodingError) -> Processed {
        let now = self.lastRead
        let loop = self.worker.onLoop
        let limit = loop.work + LoopState.workPerTurn
        var packets = 0
        while self.phase != .closed, self.phase != .connecting {
            if !self.waitsForReceivers { self.publishHold.end() }
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
        self.partialPacket.received(waiting: self.input.waiting, hasNewBeginning: packets > 0, now: now)
        return .done
    }

    /// Whether what the client publishes waits for its receivers: who is gone, or about to be, cannot be slowed down.
    var waitsForReceivers: Bool { !self.isLinkGone && !self.isSettling }

    /// Lets other connections have their turn before what was read is processed further.
    private func waitForTurn() {
        self.pauseReading(for: .turn)
        self.worker.continueLater { [reference] in reference.onLoop?.process() }
    }

    /// Nothing that was read waits to be processed, but for the beginning of a packet and what waits for receivers.
    private func inputProcessed() {
        if Swift.exchange(&self.isSettling, with: false) { self.resumeAfterHold(now: self.engine.clock.now()) }
        if let malformedInput, self.phase != .closed { self.malformed(malformedInput) }
        for body in Swift.exchange(&self.afterInput, with: []) { body() }
        if self.isLinkGone { self.end() }
        self.resumeReading(after: .turn)
    }

    /// Calls `body` once everything that was read from the client is processed, whoever cannot keep up: what it has said before counts before.
    private func afterInput(_ body: @escaping () -> Void) {
        let isWaiting = self.pausedFor.contains(.turn)
        guard self.phase == .connected, isWaiting || !self.waitingPackets.isEmpty else { return body() }
        self.afterInput.append(body)
        self.isSettling = true
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
            // [MQTT-3.1.2-2]; a client of a later version reads this one too.
            self.version = .v3_1_1
            self.send(.connack(ConnAck(reasonCode: .unsupportedProtocolVersion)))
        }
        self.finish()
    }

    /// From CONNECT on: packets as large as either end has told the other, in the client's version.
    func useVersion(_ version: ProtocolVersion, maximumPacketSize: UInt32?) {
        self.version = version
        self.maximumPacketSize = maximumPacketSize
        self.input.use(
            PacketDecoder(from: .client, version: version, maximumPacketSize: self.rules.terms.maximumPacketSize))
    }

    // MARK: What the client has said

    /// Takes what the client has sent by now, also where reading rests, then calls `body`, even if that has ended the connection.
    ///
    /// What a client has said counts before what others do to its session: its DISCONNECT before a take-over, its PUBLISH before the
    /// administrator's order.
    func settle(then body: @escaping @Sendable () -> Void) {
        guard self.afterRecheck == nil else {
            self.afterRecheck?.append { self.settle(then: body) }
            return
        }
        guard self.phase == .connected else { return body() }
        self.link.drain(atMost: Self.mostSettled, within: Self.settlingTime) { [reference] in
            if let connection = reference.onLoop { connection.afterInput(body) } else { body() }
        }
    }

    /// How many bytes that have arrived are still taken from a client whose connection is to be closed, and how long that may take: more than
    /// the kernel keeps for a connection.
    static let mostSettled = 16 << 20
    static let settlingTime = Duration.seconds(1)

    /// Closes the connection after what the client has sent by now.
    func settleAndClose(_ reasonCode: ReasonCode, _ reason: String) {
        self.settle { [reference] in reference.onLoop?.close(reasonCode, reason) }
    }

    // MARK: The right to be connected

    /// Remembers what the client's right to be connected rests on; before the authenticators decide, so that no change is missed.
    func noteCredentials() {
        self.checkedVersion = self.engine.authorizationVersion.load(ordering: .acquiring)
        self.credentials = self.rules.credentials(of: self.claimed, method: self.admitted?.authenticationMethod)
    }

    /// Whether what the client was let in by is still valid: its user and password, its certificate's authority, its pre-shared key.
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
                .administrativeAction, "What the client was let in by is no longer valid; connect again.")
            engine.endSessionOfRemovedUser(session, on: worker)
        }
    }

    // MARK: Reading and resting

    func pauseReading(for reason: PauseReasons) {
        if self.pausedFor.isEmpty { self.link.setReading(false) }
        self.pausedFor.insert(reason)
    }

    /// Whether the client is read.
    var isReadingOn: Bool { self.pausedFor.isEmpty }

    func resumeReading(after reason: PauseReasons) {
        guard self.pausedFor.remove(reason) != nil else { return }
        if self.pausedFor.isEmpty, self.phase != .closed { self.link.setReading(true) }
    }

    /// Reads nothing for so long. What the client sends in the meantime is not seen, and is no silence.
    private func rest(for duration: Duration) {
        self.restedUntil = max(self.restedUntil, self.lastRead + duration)
        guard !self.pausedFor.contains(.rate) else { return }
        self.pauseReading(for: .rate)
        self.restOn(for: duration)
    }

    private func restOn(for duration: Duration) {
        self.engine.deadlines.schedule(after: duration) { [reference] in
            reference.execute { connection in
                let left = connection.restedUntil - connection.engine.clock.now()
                if left > .zero { connection.restOn(for: left) } else { connection.resumeReading(after: .rate) }
            }
        }
    }

    // MARK: Time

    func tick(now: Timestamp) {
        guard !self.isLinkGone, !self.endIfGreedy(now: now) else { return }
        switch self.phase {
        case .opening, .connecting, .challenged:
            guard now - self.opened > self.engine.configuration.limits.connectTimeout else { return }
            if self.whenStored != nil {
                self.refuse(.serverBusy, "The server's storage is behind; try again a little later.")
            } else {
                self.engine.clientLog.write(.tooLate, self.metadata)
                self.finish()
            }
        case .connected:
            guard self.isSilent(now: now) else { return }
            // A loop that was busy has not read yet what has come in time.
            self.settle { [reference] in
                guard let connection = reference.onLoop, connection.isSilent(now: connection.engine.clock.now()) else {
                    return
                }
                connection.close(.keepAliveTimeout, "Nothing was received for one and a half times the keep alive.")
            }
        case .closed: break
        }
    }

    /// Whether the client has sent nothing for one and a half times its keep alive [MQTT-3.1.2-24]. A client that is not read because of
    /// the store is not silent.
    private func isSilent(now: Timestamp) -> Bool {
        guard self.phase == .connected, let keepAlive = self.admitted?.keepAlive, keepAlive > 0,
            self.pausedFor.isDisjoint(with: [.store, .receivers]),
            !self.pausedFor.contains(.answers) || self.uncommitted.isEmpty
        else { return false }
        return now - max(self.lastRead, self.restedUntil) > .milliseconds(Int64(keepAlive) * 1500)
    }

    // MARK: The end

    /// Tells the client why, and ends the connection; its will is published. What the client has said before, and waits for receivers, goes
    /// first.
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

    /// Ends the connection, after what was written; the session goes on without it.
    func finish(_ reasonCode: ReasonCode = .unspecifiedError) {
        guard self.phase != .closed else { return }
        self.dropUncommitted()
        self.flushReplies()
        self.detach(reasonCode)
        self.hasClosed = true
        self.link.closeAfterWrites(within: Self.closingTime)
    }

    private static let closingTime = Duration.seconds(2)

    func linkClosed(_ error: TransportError?) {
        self.hasClosed = true
        self.isLinkGone = true
        let hasWill = self.session?.state.withLock { state in
            state.isWritable = false
            return state.will != nil
        }
        guard !self.pausedFor.contains(.turn) else { return }
        // What waits for receivers is still processed. And many connections may be lost together, whose wills each go to many.
        if self.phase == .connected, hasWill == true || !self.waitingPackets.isEmpty {
            self.waitForTurn()
        } else {
            self.end()
        }
    }

    func end() {
        // Until then, others find the session occupied by it.
        guard self.afterRecheck == nil else { return }
        guard self.worker.onLoop.connections.removeValue(forKey: ObjectIdentifier(self)) != nil else { return }
        self.detach(.unspecifiedError)
        self.forgetMemory()
        self.rules.connections.wrappingSubtract(1, ordering: .relaxed)
        self.engine.links.remove()
        self.exchange = nil
        self.handle.forget()
        self.reference.forget()
    }

    private func detach(_ reasonCode: ReasonCode) {
        guard self.phase != .closed else { return }
        self.phase = .closed
        self.authentication?.cancel()
        self.authentication = nil
        self.whenStored = nil
        guard let session = Swift.exchange(&self.session, with: nil) else { return }
        self.leave(session)
        self.engine.events.tell(.connections, .disconnected(self.client, reasonCode))
    }
}

@available(*, unavailable)
extension BrokerConnection: Sendable {}

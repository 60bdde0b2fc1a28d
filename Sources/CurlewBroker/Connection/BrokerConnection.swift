import CurlewCore
import CurlewTransport
import Logging
import NIOCore
import Synchronization

/// One connection of a client, from its first byte to its last: bytes to packets, packets to the session and the engine. Everything here
/// happens on the connection's event loop.
final class BrokerConnection: LinkHandler {
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
    /// Whether nothing is read because as much waits as may.
    var isRestingForReceivers = false
    /// How long the rest of a packet has been awaited.
    private(set) var partialPacket: PartialPacket
    /// What is counted of the connection in the broker's memory.
    var countedBytes = 0
    /// Whether it may hold more or less than was counted.
    var mustCount = true
    /// Whether nothing is counted any more.
    var isForgotten = false
    /// How often reading was turned off and not on again.
    private var pauses = 0
    /// Answers that wait for the end of this round of the event loop.
    var replies = ByteBuffer()
    /// The change that they have to wait for, if there is a store.
    var repliesChange: UInt64 = 0
    /// What waits for the store.
    var uncommitted = UncommittedOutput()
    /// Whether CONNACK is a part of that.
    var isGreetingUncommitted = false
    /// Whether the loop knows that this connection waits for the store.
    var isWaitingForCommit = false
    /// Whether nothing is read because the store is behind.
    var isStoreBehind = false
    var isFlushPending = false
    /// Whether nothing is read because answers do not leave.
    var isHeld = false
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
            self.engine.logger.warning("connection refused: as many as allowed are open", metadata: self.metadata)
            self.turnAway()
        }
    }

    /// Closes the link without a word. Later: before this connection owns it, it could not be told of the end, and would count for ever.
    private func turnAway() {
        self.phase = .closed
        self.worker.eventLoop.execute { [handle] in handle.onLoop?.link.close() }
    }

    var metadata: Logger.Metadata {
        ["client": "\(self.client.identifier.printable)", "address": "\(self.client.address)"]
    }

    // MARK: Reading

    func linkRead(_ bytes: ByteBuffer) {
        guard self.phase != .closed else { return }
        self.lastRead = self.engine.clock.now()
        self.worker.counters.bytesReceived.count(bytes.readableBytes)
        if let wait = self.byteRate?.take(bytes.readableBytes, now: self.lastRead), wait > .zero {
            self.rest(for: wait)
        }
        self.mustCount = true
        self.input.append(bytes)
        self.process()
        self.checkPartialPacket()
    }

    func linkReadCompleted() {}

    /// Takes the packets that are there, as long as the next may be taken.
    func process() {
        // What a packet leads to may have more read, in the middle of it.
        guard !self.isProcessing else { return }
        self.isProcessing = true
        defer { self.isProcessing = false }
        let now = self.lastRead
        let isStored = self.engine.journal != nil
        var packets = 0
        if isStored { _ = self.worker.onLoop.takeChange() }
        do throws(DecodingError) {
            while self.phase != .closed, self.phase != .connecting, let packet = try self.nextPacket() {
                self.worker.counters.messagesReceived.count()
                packets += 1
                self.received(consume packet, now: now)
                if isStored { self.takeChanges() }
            }
            self.partialPacket.received(waiting: self.input.waiting, hasNewBeginning: packets > 0, now: now)
        } catch {
            // What the client has published before counts.
            self.isProcessing = false
            self.processWaitingPackets()
            if self.phase != .closed { self.malformed(error) }
        }
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
            self.engine.logger.info("connection closed: its first packet is no CONNECT", metadata: self.metadata)
            self.finish()
        case (.challenged, .auth(let auth)), (.connected, .auth(let auth)): self.receivedAuth(auth)
        case (.challenged, .disconnect): self.finish()
        case (.challenged, _): self.close(.protocolError, "Only AUTH may be sent during an authentication.")
        case (.connected, .puback(let packet)): self.receivedPuback(packet)
        case (.connected, .pubrec(let packet)): self.receivedPubrec(packet)
        case (.connected, .pubrel(let packet)): self.receivedPubrel(packet)
        case (.connected, .pubcomp(let packet)): self.receivedPubcomp(packet)
        case (.connected, .subscribe(let packet)): self.receivedSubscribe(packet, now: now)
        case (.connected, .unsubscribe(let packet)): self.receivedUnsubscribe(packet)
        case (.connected, .pingreq): self.reply(.pingresp)  // [MQTT-3.12.4-1]
        case (.connected, .disconnect(let packet)): self.receivedDisconnect(packet)
        default: self.close(.protocolError, "\(packet.type) must not be sent here.")  // [MQTT-3.1.0-2]
        }
    }

    private func malformed(_ error: DecodingError) {
        self.engine.logger.info(
            "connection closed: its bytes are no MQTT", metadata: self.metadata.merging(["error": "\(error)"]) { $1 })
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
        guard self.phase == .connected else { return body() }
        self.link.drain(atMost: Self.mostSettled, within: Self.settlingTime, then: body)
    }

    /// How many bytes that have arrived are still taken from a client whose connection is to be closed, and how long that may take.
    static let mostSettled = 1 << 20
    static let settlingTime = Duration.seconds(1)

    /// Closes the connection after what the client has sent by now.
    func settleAndClose(_ reasonCode: ReasonCode, _ reason: String) {
        self.settle { [handle] in handle.onLoop?.close(reasonCode, reason) }
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
        self.settle { [handle, engine, worker] in
            handle.onLoop?.close(
                .administrativeAction, "What the client was let in by is no longer valid; connect again.")
            engine.endSessionOfRemovedUser(session, on: worker)
        }
    }

    // MARK: Reading and resting

    func pauseReading() {
        self.pauses += 1
        if self.pauses == 1 { self.link.setReading(false) }
    }

    /// Whether the client is read.
    var isReadingOn: Bool { self.pauses == 0 }

    func resumeReading() {
        self.pauses -= 1
        if self.pauses == 0, self.phase != .closed { self.link.setReading(true) }
    }

    /// Reads nothing for so long. What the client sends in the meantime is not seen, and is no silence.
    private func rest(for duration: Duration) {
        let isResting = self.restedUntil > self.lastRead
        self.restedUntil = max(self.restedUntil, self.lastRead + duration)
        guard !isResting else { return }
        self.pauseReading()
        self.restOn(for: duration)
    }

    private func restOn(for duration: Duration) {
        self.engine.deadlines.schedule(after: duration) { [handle] in
            handle.execute { connection in
                let left = connection.restedUntil - connection.engine.clock.now()
                if left > .zero { connection.restOn(for: left) } else { connection.resumeReading() }
            }
        }
    }

    // MARK: Time

    func tick(now: Timestamp) {
        guard !self.endIfGreedy(now: now) else { return }
        switch self.phase {
        case .opening, .connecting, .challenged:
            if now - self.opened > self.engine.configuration.limits.connectTimeout {
                self.engine.logger.info("connection closed: it did not connect in time", metadata: self.metadata)
                self.finish()
            }
        case .connected:
            guard self.isSilent(now: now) else { return }
            // A loop that was busy has not read yet what has come in time.
            self.settle { [handle] in
                guard let connection = handle.onLoop, connection.isSilent(now: connection.engine.clock.now()) else {
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
        guard self.phase == .connected, let keepAlive = self.admitted?.keepAlive, keepAlive > 0, !self.isStoreBehind,
            !self.isRestingForReceivers, !self.isHeld || self.uncommitted.isEmpty
        else { return false }
        return now - max(self.lastRead, self.restedUntil) > .milliseconds(Int64(keepAlive) * 1500)
    }

    // MARK: The end

    /// Tells the client why, and ends the connection; its will is published.
    func close(_ reasonCode: ReasonCode, _ reason: String) {
        self.processWaitingPackets()
        guard self.phase != .closed else { return }
        let isOpening = self.phase != .connected
        self.engine.logger.info(
            "connection closed by the broker",
            metadata: self.metadata.merging(["reason": "\(reasonCode)", "detail": "\(reason.printable)"]) { $1 })
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
        self.processWaitingPackets()
        self.detach(.unspecifiedError)
        self.forgetMemory()
        self.worker.onLoop.connections[ObjectIdentifier(self)] = nil
        self.rules.connections.wrappingSubtract(1, ordering: .relaxed)
        self.engine.links.remove()
        self.exchange = nil
        self.handle.forget()
    }

    private func detach(_ reasonCode: ReasonCode) {
        guard self.phase != .closed else { return }
        self.phase = .closed
        guard let session = CurlewCore.exchange(&self.session, with: nil) else { return }
        self.leave(session)
        self.engine.events.tell(.connections, .disconnected(self.client, reasonCode))
    }
}

@available(*, unavailable)
extension BrokerConnection: Sendable {}

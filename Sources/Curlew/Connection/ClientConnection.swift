import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

/// One connection to a server, from CONNECT until the link is closed. Decodes the received bytes, passes the packets to
/// the session, and writes the session's output to the link. Everything runs on the event loop.
final class ClientConnection: LinkHandler {
    /// The outcome of the handshake.
    enum Opening: Sendable {
        /// The server accepted.
        case accepted(isResumed: Bool)
        /// The server answered with a failure.
        case refused(ConnAck)
        /// The connection ended before CONNACK.
        case closed(Closing)
    }

    /// Why the connection ended.
    struct Closing: Sendable {
        /// The server's DISCONNECT, if it sent one.
        var disconnect: Disconnect?
        /// The error to report; `nil` if the client disconnected on request.
        var error: MQTTError?
        /// Whether an unanswered packet may be the cause.
        var end = ClientSession.ConnectionEnd.other
        /// Whether the server has sent anything.
        var hasAnswered = false
    }

    /// The client's engine.
    let owner: any ConnectionOwner
    let context: ConnectionContext
    let link: any Link
    let server: Endpoint
    let opening: OneShot<Opening>
    let closed: OneShot<Closing>

    let connect: Connect
    private(set) var life: ClientConnectionLife
    private var input: PacketInput
    /// Whether `input` has bytes that `read` has not processed yet.
    private var hasUnread = false
    private var isReading = false
    /// The maximum number of packets passed to the session at once, which limits how long the lock is held.
    private static let batchSize = 512
    /// Packets that are decoded and not yet processed. The array is reused, so that a read does not allocate.
    private var packets: [Packet] = []
    private var batch = DeliveryBatch()
    private var spare = ByteBuffer()
    private var keepAliveDeadline: Deadlines.ID?
    private var closing = Closing()
    /// The server's Maximum Packet Size, if CONNACK contains one.
    private(set) var serverMaximumPacketSize: Int?
    /// The progress of an enhanced authentication.
    var authentication = AuthenticationState()

    /// Sends CONNECT immediately.
    init(
        _ owner: any ConnectionOwner, _ context: ConnectionContext, link: any Link, server: Endpoint, connect: Connect,
        opening: OneShot<Opening>, closed: OneShot<Closing>
    ) {
        self.owner = owner
        self.context = context
        self.link = link
        self.server = server
        self.connect = connect
        self.opening = opening
        self.closed = closed
        self.input = PacketInput(
            PacketDecoder(
                from: .server, version: connect.version,
                maximumPacketSize: UInt32(clamping: context.configuration.session.maximumPacketSize),
                leavingOut: owner.excessLeftOut(connect.version)))
        self.life = ClientConnectionLife(
            keepAlive: KeepAlive(
                interval: connect.keepAlive, responseTimeout: context.configuration.connection.pingTimeout,
                now: context.clock.now()))
        self.write(.connect(connect))
    }

    // MARK: Reading

    func linkRead(_ bytes: ByteBuffer) {
        guard self.life.isOpen else { return }
        self.input.append(bytes)
        self.hasUnread = true
        // A failed write makes the socket read the remaining bytes, while `read` may be running: let `read` finish
        // first.
        guard !self.isReading else { return }
        self.isReading = true
        defer { self.isReading = false }
        while exchange(&self.hasUnread, with: false) { self.read() }
    }

    private func read() {
        guard self.life.isOpen else { return }
        self.life.received(at: self.context.clock.now())
        if self.life.phase == .handshake, self.isForeign() { return }
        var violation: DecodingError?
        do throws(DecodingError) {
            repeat {
                while let packet = try self.input.next() {
                    self.packets.append(consume packet)
                    guard self.packets.count == Self.batchSize else { continue }
                    self.process()
                    guard self.life.phase == .connected else { return }
                }
            } while self.processSkipped()
        } catch {
            violation = error
        }
        self.process()
        if let violation, self.life.isOpen { self.refuse(violation) }
    }

    /// Passes a skipped PUBLISH to the session, after the packets before it. Returns whether more packets may follow.
    private func processSkipped() -> Bool {
        guard let skipped = self.input.takeSkipped() else { return false }
        self.process()
        guard self.life.phase == .connected else {
            if self.life.phase == .handshake {
                self.close(
                    .protocolError, MQTTError(.protocolViolation, "The server sent another packet before CONNACK."))
            }
            return false
        }
        self.handle(self.owner.process(skipped))
        return self.life.phase == .connected
    }

    private func refuse(_ violation: DecodingError) {
        var error = MQTTError(.protocolViolation, "The server sent bytes that are not MQTT: \(violation)")
        if case .packetTooLarge(let size, let maximum) = violation {
            error = .tooLarge(self.input.refusedTopic, size: size, maximum: maximum, code: .protocolViolation)
            self.owner.leaveOutLargePublishes()
        }
        self.close(violation.reasonCode, error)
    }

    /// Closes the connection if the server answered CONNECT in another protocol. Returns whether it did.
    private func isForeign() -> Bool {
        self.closing.hasAnswered = true
        guard let bytes = self.input.unread, let foreign = ForeignProtocol(answer: bytes) else { return false }
        let advice = foreign.advice(isSecure: self.server.security == .tls)
        self.close(
            .protocolError,
            MQTTError(.connectionFailed, "\(self.server) answers in \(foreign.name), not in MQTT: \(advice)."))
        return true
    }

    func linkReadCompleted() {
        // Bytes of an incomplete frame prove that the server is alive: a large frame may take longer than the ping
        // timeout.
        if self.link.heldBytes > 0 { self.life.received(at: self.context.clock.now()) }
        self.flushIfNeeded()
        // If the server sends without reading, the answers to it would pile up without limit.
        if !self.link.isWritable, self.owner.hasManyAnswers { self.pause(.answers) }
        if self.life.phase == .connected, self.owner.isHoldingReading { self.pause(.consumer) }
    }

    private func pause(_ reason: ClientConnectionLife.Pauses) {
        if self.life.pause(reason) == .stopReading { self.link.setReading(false) }
    }

    private func resume(_ reason: ClientConnectionLife.Pauses) {
        if self.life.resume(reason) == .startReading { self.link.setReading(true) }
    }

    /// A consumer that paused reading has taken its messages.
    func readOnAfterHolding() {
        if !self.owner.isHoldingReading { self.resume(.consumer) }
    }

    /// Passes the decoded packets to the session, usually with one lock for all of them.
    private func process() {
        guard !self.packets.isEmpty else { return }
        defer { self.packets.removeAll(keepingCapacity: true) }
        let now = self.context.clock.now()
        var next = self.life.phase == .handshake ? self.open(now) : 0
        while self.life.phase == .connected, next < self.packets.count {
            let event = self.owner.process(&self.packets, from: &next, now, into: &self.batch)
            self.batch.dispatch(now)
            self.handle(event)
        }
    }

    private func handle(_ event: ConnectionEvent?) {
        switch event {
        case nil: break
        case .authenticate(let auth)?: self.continueAuthentication(auth)
        case .disconnected(let packet)?: self.disconnected(packet)
        case .violation(let code, let message)?:
            self.close(
                code, MQTTError(.protocolViolation, "The server broke the protocol: \(message).", reasonCode: code))
        }
    }

    // MARK: The handshake

    /// Processes packets until the handshake is complete. Returns the index of the first packet for the session.
    private func open(_ now: Timestamp) -> Int {
        for (index, packet) in self.packets.enumerated() {
            guard self.life.phase == .handshake else { break }
            switch packet {
            case .connack(let connack):
                return self.receivedConnack(connack, now) ? index + 1 : self.packets.count
            case .auth(let auth) where self.connect.properties.authenticationMethod != nil:
                self.continueAuthentication(auth)
            default:
                self.close(
                    .protocolError,
                    MQTTError(.protocolViolation, "The server sent another packet before CONNACK."))
            }
        }
        return self.packets.count
    }

    private func receivedConnack(_ connack: ConnAck, _ now: Timestamp) -> Bool {
        var connack = connack
        // They are unused, and would take memory for as long as the connection lasts.
        connack.properties.userProperties = []
        guard !connack.reasonCode.isFailure else {
            self.endReading()
            self.opening.set(.refused(connack))
            self.link.closeAfterWrites(within: self.context.configuration.connection.disconnectTimeout)
            return false
        }
        guard self.finishAuthentication(connack) else { return false }
        guard let isResumed = self.owner.opened(self, connack, to: self.connect, now: now) else {
            self.close(
                .protocolError,
                MQTTError(.protocolViolation, "The server resumed a session, but the client requested a new one."))
            return false
        }
        let limits = ServerLimits(connack, version: self.connect.version)
        self.life.accepted(serverKeepAlive: limits.serverKeepAlive)
        self.serverMaximumPacketSize = limits.maximumPacketSize.map { Int(clamping: $0) }
        self.watch()
        self.opening.set(.accepted(isResumed: isResumed))
        self.flushIfNeeded()
        return true
    }

    // MARK: Writing

    /// A read is complete: writes the packets that it caused.
    private func flushIfNeeded() {
        if self.owner.hasOutput { self.flush() }
    }

    /// Writes the session's output. Called when there is new output, or the link has room again.
    func flush() {
        guard self.life.phase == .connected, self.link.isWritable else { return }
        var rounds = 0
        while let bytes = self.owner.takeOutput(replacement: &self.spare) {
            self.write(bytes)
            self.spare = bytes
            self.readOn()
            guard self.link.isWritable else { return }
            rounds += 1
            // Let other connections of this event loop run.
            guard rounds < 8 else {
                let connection = NIOLoopBound(self, eventLoop: self.link.eventLoop)
                return self.link.eventLoop.execute { connection.value.flush() }
            }
        }
    }

    func linkWritabilityChanged(_ isWritable: Bool) {
        guard isWritable else { return }
        self.flush()
        // `flush` does this only after a write.
        self.readOn()
    }

    /// Resumes reading: the server has taken its answers.
    private func readOn() { self.resume(.answers) }

    private func write(_ bytes: ByteBuffer) {
        self.link.write(bytes)
        self.life.sent(bytes.readableBytes, at: self.context.clock.now())
    }

    func write(_ packet: Packet) {
        guard self.life.isOpen else { return }
        var bytes = ByteBuffer()
        do {
            try packet.encode(into: &bytes, version: self.connect.version)
            self.write(bytes)
        } catch {
            self.close(.normalDisconnection, MQTTError(.invalidArgument, "\(error)"))
        }
    }

    // MARK: Keep alive

    private func watch() {
        guard let deadline = self.life.deadline else { return }
        let connection = NIOLoopBound(self, eventLoop: self.link.eventLoop)
        let loop = self.link.eventLoop
        self.keepAliveDeadline = self.context.deadlines.schedule(after: deadline - self.context.clock.now()) {
            loop.execute { connection.value.watchdogFired() }
        }
    }

    private func watchdogFired() {
        switch self.life.deadlineReached(unsent: self.link.unsentBytes, at: self.context.clock.now()) {
        case .none: break
        case .sendPing: self.write(.pingreq)
        case .serverIsDead:
            // DISCONNECT would not arrive.
            self.finish(MQTTError(.connectionClosed, "The server did not answer a ping in time."))
            self.link.close()
            return
        }
        self.watch()
    }

    // MARK: The end

    /// Sends DISCONNECT, if the standard permits it, then closes the link.
    func close(_ code: ReasonCode, _ error: MQTTError?, properties: Properties = Properties()) {
        guard self.life.isOpen else { return }
        if self.life.phase == .connected {
            // Encoded packets count as sent, so write them before DISCONNECT even if the link has no room.
            let rest = self.owner.takeLastOutput()
            if rest.readableBytes > 0 { self.write(rest) }
            let version = self.connect.version
            if version >= .v5_0 || code == .normalDisconnection {
                self.write(.disconnect(Disconnect(reasonCode: code, properties: properties)))
            }
        }
        self.finish(error, error?.code == .protocolViolation ? .byServer : .other)
        self.link.closeAfterWrites(within: self.context.configuration.connection.disconnectTimeout)
    }

    private func disconnected(_ packet: Disconnect) {
        self.closing.disconnect = packet
        let reason = packet.properties.reasonString.map { ": \($0)" } ?? ""
        let code: MQTTError.Code = packet.reasonCode == .sessionTakenOver ? .sessionTakenOver : .disconnectedByServer
        self.finish(
            MQTTError(code, "The server ended the connection\(reason).", reasonCode: packet.reasonCode),
            packet.reasonCode.mayBlamePacket ? .byServer : .other)
        self.link.closeAfterWrites(within: self.context.configuration.connection.disconnectTimeout)
    }

    /// Stops processing and writing packets. The caller must close the link.
    private func finish(_ error: MQTTError?, _ end: ClientSession.ConnectionEnd = .other) {
        self.endReading()
        self.leave(error, end)
    }

    private func endReading() {
        if self.life.finished() == .leaveAndRead { self.link.setReading(true) }
    }

    /// Separates the connection from the session.
    private func leave(_ error: MQTTError?, _ end: ClientSession.ConnectionEnd) {
        self.closing.error = self.closing.error ?? error
        self.closing.end = end
        if let deadline = self.keepAliveDeadline { self.context.deadlines.cancel(deadline) }
        self.authentication.cancel()
        if let error = self.closing.error, error.code == .authenticationFailed { self.owner.reauthenticated(error) }
        self.owner.lost(self, end)
    }

    func linkClosed(_ error: TransportError?) {
        switch self.life.linkClosed() {
        case .again: return
        case .expected: break
        case .lost:
            self.leave(
                error.map { MQTTError(.connectionClosed, $0.message, cause: $0) }
                    ?? MQTTError(.connectionClosed, "The server closed the connection."),
                error?.isOfNetwork == true ? .other : .byServer)
        }
        self.opening.set(.closed(self.closing))
        self.closed.set(self.closing)
    }
}

@available(*, unavailable)
extension ClientConnection: Sendable {}

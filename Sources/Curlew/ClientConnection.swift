import CurlewCore
import CurlewTransport
import NIOCore

/// One connection to a server, from CONNECT to the end: bytes to packets, packets to the session, the session's bytes to the
/// link. Everything here happens on the event loop.
final class ClientConnection: LinkHandler {
    /// What the handshake came to.
    enum Opening: Sendable {
        /// The server accepted.
        case accepted(ConnAck, Connect, isResumed: Bool)
        /// The server answered with a failure.
        case refused(ConnAck)
        /// The connection ended before the server had answered.
        case closed(Closing)
    }

    /// Why the connection ended.
    struct Closing: Sendable {
        /// The server's DISCONNECT, if it sent one.
        var disconnect: Disconnect?
        /// What to tell people; `nil` when we closed it because we were asked to.
        var error: MQTTError?
    }

    private enum Phase {
        case handshake
        case connected
        /// Nothing that comes in is looked at any more.
        case closing
        case closed
    }

    let client: MQTTClient
    let link: any Link
    let opening: OneShot<Opening>
    let closed: OneShot<Closing>

    private let connect: Connect
    private var phase = Phase.handshake
    private var decoder: PacketDecoder
    /// The beginning of a packet whose end has not come yet.
    private var partial: ByteBuffer?
    /// What came and was not looked at yet; more than one read only while `isReading`.
    private var unread = CircularBuffer<ByteBuffer>(initialCapacity: 1)
    private var isReading = false
    /// How many packets are taken to the session at once: the lock is held for so long.
    private static let batchSize = 512
    /// Packets that were decoded and are not yet processed: kept, so that a read does not allocate.
    private var packets: [Packet] = []
    private var batch = DeliveryBatch()
    private var spare = ByteBuffer()
    private var keepAlive: KeepAlive
    private var keepAliveDeadline: Deadlines.ID?
    private var closing = Closing()
    /// Whether the authenticator is working on a challenge.
    private var isAnswering = false
    /// Whether reading rests until the server has taken some of what it makes us answer.
    private var isPaused = false

    /// Sends CONNECT at once.
    init(
        _ client: MQTTClient, link: any Link, connect: Connect, opening: OneShot<Opening>, closed: OneShot<Closing>
    ) {
        self.client = client
        self.link = link
        self.connect = connect
        self.opening = opening
        self.closed = closed
        self.decoder = PacketDecoder(
            from: .server, version: connect.version,
            maximumPacketSize: UInt32(clamping: client.configuration.session.maximumPacketSize))
        self.keepAlive = KeepAlive(
            interval: connect.keepAlive, responseTimeout: client.configuration.connection.pingTimeout,
            now: client.clock.now())
        self.write(.connect(connect))
    }

    // MARK: Reading

    func linkRead(_ bytes: ByteBuffer) {
        self.unread.append(bytes)
        // A write that fails has the socket read what is left, in the middle of what an earlier read led to: it has to wait.
        guard !self.isReading else { return }
        self.isReading = true
        defer { self.isReading = false }
        while let bytes = self.unread.popFirst() { self.read(bytes) }
    }

    private func read(_ bytes: ByteBuffer) {
        guard self.phase == .handshake || self.phase == .connected else { return }
        var bytes = bytes
        let hadPartial = self.partial != nil
        if hadPartial {
            self.partial?.writeBuffer(&bytes)
            if let whole = exchange(&self.partial, with: nil) { bytes = whole }
        }
        var violation: DecodingError?
        let before = bytes.readerIndex
        do throws(DecodingError) {
            while let packet = try self.decoder.decode(from: &bytes) {
                self.packets.append(consume packet)
                guard self.packets.count == Self.batchSize else { continue }
                self.process()
                guard self.phase == .connected else { return }
            }
        } catch {
            violation = error
        }
        self.process()
        if hadPartial, bytes.readerIndex == before {
            self.partial = bytes  // still the same packet: the buffer grows, nothing is copied
        } else {
            self.keepPartial(bytes)
        }
        if let violation, self.phase == .handshake || self.phase == .connected {
            self.close(
                violation.reasonCode,
                MQTTError(.protocolViolation, "The server sent bytes that are not MQTT: \(violation)."))
        }
    }

    /// Keeps the beginning of a packet in a buffer of its own: the one it came in may be shared with many messages.
    private func keepPartial(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        var partial = ByteBufferAllocator().buffer(capacity: max(1024, bytes.readableBytes * 2))
        partial.writeImmutableBuffer(bytes)
        self.partial = partial
    }

    func linkReadCompleted() {
        self.client.flushIfNeeded(self)
        // A server that sends and does not read would have our answers pile up without end.
        if !self.isPaused, !self.link.isWritable, self.client.hasMuchUnsent {
            self.isPaused = true
            self.link.setReading(false)
        }
    }

    /// Takes the packets of one read to the session, under one lock.
    private func process() {
        guard !self.packets.isEmpty else { return }
        defer { self.packets.removeAll(keepingCapacity: true) }
        let now = self.client.clock.now()
        self.keepAlive.received(at: now)
        var next = self.phase == .handshake ? self.open(now) : 0
        while self.phase == .connected, next < self.packets.count {
            let event = self.client.process(&self.packets, from: &next, now, into: &self.batch)
            self.batch.deliver()
            switch event {
            case nil: break
            case .authenticate(let auth)?: self.continueAuthentication(auth)
            case .disconnected(let packet)?: self.disconnected(packet)
            case .violation(let code, let message)?:
                self.close(
                    code, MQTTError(.protocolViolation, "The server broke the protocol: \(message).", reasonCode: code))
            }
        }
    }

    // MARK: The handshake

    /// Takes packets until the handshake is over; returns the index of the first that belongs to the session.
    private func open(_ now: Timestamp) -> Int {
        for (index, packet) in self.packets.enumerated() {
            switch packet {
            case .connack(let connack):
                return self.receivedConnack(connack, now) ? index + 1 : self.packets.count
            case .auth(let auth) where self.connect.properties.authenticationMethod != nil:
                self.continueAuthentication(auth)
            default:
                self.close(
                    .protocolError,
                    MQTTError(.protocolViolation, "The server sent another packet before CONNACK."))
                return self.packets.count
            }
        }
        return self.packets.count
    }

    private func receivedConnack(_ connack: ConnAck, _ now: Timestamp) -> Bool {
        guard !connack.reasonCode.isFailure else {
            self.phase = .closing
            self.opening.set(.refused(connack))
            self.link.closeAfterWrites(within: self.client.configuration.connection.disconnectTimeout)
            return false
        }
        do {
            let authenticator = self.client.configuration.authentication?.authenticator
            try authenticator?.finish(with: connack.properties.authenticationData)
        } catch {
            self.close(.notAuthorized, .authenticationGivenUp(error))
            return false
        }
        guard let isResumed = self.client.connected(self, connack, to: self.connect, now: now) else {
            self.close(
                .protocolError,
                MQTTError(.protocolViolation, "The server resumed a session although a new one was asked for."))
            return false
        }
        self.phase = .connected
        if let interval = ServerLimits(connack, version: self.connect.version).serverKeepAlive {
            self.keepAlive.serverKeepAlive(interval)
        }
        self.watch()
        self.opening.set(.accepted(connack, self.connect, isResumed: isResumed))
        self.client.flushIfNeeded(self)
        return true
    }

    /// Has the application's authenticator answer a step of the server's.
    private func continueAuthentication(_ auth: Auth) {
        guard let authentication = self.client.configuration.authentication else {
            self.close(
                .protocolError, MQTTError(.protocolViolation, "The server sent AUTH although nobody asked for it."))
            return
        }
        let data = auth.properties.authenticationData
        guard auth.reasonCode == .continueAuthentication else {
            do {
                try authentication.authenticator.finish(with: data)
                self.client.reauthenticated(nil)
            } catch {
                self.close(.notAuthorized, .authenticationGivenUp(error))
            }
            return
        }
        guard !self.isAnswering else {
            self.close(
                .protocolError, MQTTError(.protocolViolation, "The server sent AUTH before the last one was answered."))
            return
        }
        self.isAnswering = true
        let connection = NIOLoopBound(self, eventLoop: self.link.eventLoop)
        let loop = self.link.eventLoop
        Task(executorPreference: self.client.taskExecutor) {
            let answer: Result<ByteBuffer?, any Error>
            do {
                answer = .success(try await authentication.authenticator.respond(to: data))
            } catch {
                answer = .failure(error)
            }
            loop.execute {
                connection.value.isAnswering = false
                switch answer {
                case .success(let data):
                    connection.value.write(.auth(.step(.continueAuthentication, authentication.method, data)))
                case .failure(let error):
                    connection.value.close(.notAuthorized, .authenticationGivenUp(error))
                }
            }
        }
    }

    /// Begins to authenticate anew (section 4.12.1).
    func reauthenticate(_ method: String, _ data: ByteBuffer?) {
        self.write(.auth(.step(.reauthenticate, method, data)))
    }

    // MARK: Writing

    /// Writes what the session has to send; called when something was added, or the link takes more.
    func flush() {
        guard self.phase == .connected, self.link.isWritable else { return }
        var rounds = 0
        while let bytes = self.client.takeOutgoing(replacement: &self.spare) {
            self.link.write(bytes)
            self.spare = bytes
            self.keepAlive.sent(at: self.client.clock.now())
            guard self.link.isWritable else { return }
            rounds += 1
            // Others of the loop want their turn, too.
            guard rounds < 8 else {
                let connection = NIOLoopBound(self, eventLoop: self.link.eventLoop)
                return self.link.eventLoop.execute { connection.value.flush() }
            }
        }
    }

    func linkWritabilityChanged(_ isWritable: Bool) {
        guard isWritable else { return }
        self.flush()
        if self.isPaused, !self.client.hasMuchUnsent {
            self.isPaused = false
            self.link.setReading(true)
        }
    }

    private func write(_ packet: Packet) {
        guard self.phase == .handshake || self.phase == .connected else { return }
        var bytes = ByteBuffer()
        do {
            try packet.encode(into: &bytes, version: self.connect.version)
            self.link.write(bytes)
            self.keepAlive.sent(at: self.client.clock.now())
        } catch {
            self.close(.normalDisconnection, MQTTError(.invalidArgument, "\(error)"))
        }
    }

    // MARK: Keep alive

    private func watch() {
        guard let deadline = self.keepAlive.deadline else { return }
        let connection = NIOLoopBound(self, eventLoop: self.link.eventLoop)
        let loop = self.link.eventLoop
        self.keepAliveDeadline = self.client.deadlines.schedule(after: deadline - self.client.clock.now()) {
            loop.execute { connection.value.watchdogFired() }
        }
    }

    private func watchdogFired() {
        guard self.phase == .connected else { return }
        switch self.keepAlive.deadlineReached(at: self.client.clock.now()) {
        case .none: break
        case .sendPing: self.write(.pingreq)
        case .serverIsDead:
            // Nobody listens: no point in saying goodbye.
            self.finish(MQTTError(.connectionClosed, "The server did not answer a ping in time."))
            self.link.close()
            return
        }
        self.watch()
    }

    // MARK: The end

    /// Ends the connection as the standard wants it: DISCONNECT, then close.
    func close(_ code: ReasonCode, _ error: MQTTError?, properties: Properties = Properties()) {
        guard self.phase == .handshake || self.phase == .connected else { return }
        if self.phase == .connected {
            // What is encoded counts as sent: it goes before the goodbye, though the link has much to write already.
            let rest = self.client.takeLastOutgoing()
            if rest.readableBytes > 0 { self.link.write(rest) }
            let version = self.connect.version
            if version >= .v5_0 || code == .normalDisconnection {
                self.write(.disconnect(Disconnect(reasonCode: code, properties: properties)))
            }
        }
        self.finish(error)
        self.link.closeAfterWrites(within: self.client.configuration.connection.disconnectTimeout)
    }

    private func disconnected(_ packet: Disconnect) {
        self.closing.disconnect = packet
        let reason = packet.properties.reasonString.map { ": \($0)" } ?? ""
        let code: MQTTError.Code = packet.reasonCode == .sessionTakenOver ? .sessionTakenOver : .disconnectedByServer
        self.finish(MQTTError(code, "The server ended the connection\(reason).", reasonCode: packet.reasonCode))
        self.link.closeAfterWrites(within: self.client.configuration.connection.disconnectTimeout)
    }

    /// No more packets, in or out; the link is still to be closed.
    private func finish(_ error: MQTTError?) {
        self.phase = .closing
        self.closing.error = self.closing.error ?? error
        if let deadline = self.keepAliveDeadline { self.client.deadlines.cancel(deadline) }
        self.client.connectionLost(self)
        self.partial = nil
    }

    func linkClosed(_ error: TransportError?) {
        guard self.phase != .closed else { return }
        if self.phase != .closing {
            self.finish(
                error.map { MQTTError(.connectionClosed, $0.message, cause: $0) }
                    ?? MQTTError(.connectionClosed, "The server closed the connection."))
        }
        self.phase = .closed
        self.opening.set(.closed(self.closing))
        self.closed.set(self.closing)
    }
}

@available(*, unavailable)
extension ClientConnection: Sendable {}

extension MQTTError {
    fileprivate static func authenticationGivenUp(_ error: any Error) -> Self {
        Self(.authenticationFailed, "The authentication was given up: \(error)", cause: error)
    }
}

extension Auth {
    /// A step of the client.
    static func step(_ code: ReasonCode, _ method: String, _ data: ByteBuffer?) -> Auth {
        var properties: [Property] = [.authenticationMethod(method)]
        if let data { properties.append(.authenticationData(data)) }
        return Auth(reasonCode: code, properties: Properties(properties))
    }
}

extension Properties {
    /// The authentication method, where the packet has one (section 3.1.2.11.9).
    var authenticationMethod: String? {
        self.value { if case .authenticationMethod(let value) = $0 { value } else { nil } }
    }

    /// The data of an authentication step (section 3.1.2.11.10).
    var authenticationData: ByteBuffer? {
        self.value { if case .authenticationData(let value) = $0 { value } else { nil } }
    }
}

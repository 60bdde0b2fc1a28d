import CurlewCore
import CurlewTransport
import Logging
import NIOCore

// What is received from the client: in turns, with pauses, and everything before the connection ends.
extension BrokerConnection {
    func linkRead(_ bytes: ByteBuffer) {
        guard self.phase != .closed, self.malformedInput == nil else { return }
        let now = self.engine.clock.now()
        self.life.reading.received(now: now)
        self.worker.counters.bytesReceived.count(bytes.readableBytes)
        if let wait = self.byteRate?.take(bytes.readableBytes, now: now), wait > .zero {
            self.rest(for: wait)
        }
        self.memory.isOutdated = true
        self.input.append(bytes)
        if self.phase == .opening, self.turnAwayForeign() { return }
        // Bytes may arrive even while reading is off: when the peer closes, everything on its way arrives at once.
        if !self.isPaused(for: .turn) { self.process() }
        self.checkPartialPacket()
    }

    /// The bytes of an incomplete WebSocket frame count like those of an incomplete packet.
    func linkReadCompleted() {
        let held = self.link.heldBytes
        guard held > 0 || self.heldBytes > 0, self.phase != .closed else { return }
        self.heldBytes = held
        self.memory.isOutdated = true
        let now = self.engine.clock.now()
        if held > 0 { self.life.reading.received(now: now) }
        self.life.partialPacket.received(waiting: self.input.waiting + held, hasNewBeginning: false, now: now)
        self.checkPartialPacket()
    }

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
        self.life.partialPacket.received(
            waiting: self.input.waiting + self.link.heldBytes, hasNewBeginning: packets > 0, now: now)
        return .done
    }

    /// Lets other connections have their turn before processing continues.
    func waitForTurn() {
        self.pauseReading(for: .turn)
        self.worker.continueLater { [reference] in reference.onLoop?.process() }
    }

    /// Everything that was read is processed, except a partial packet and packets that wait for receivers.
    private func inputProcessed() {
        if self.life.processed() == .settled { self.resumeReading(after: .receivers) }
        if let malformedInput, self.phase != .closed { self.malformed(malformedInput) }
        for body in exchange(&self.doneWithInput, with: []) { body() }
        if self.life.isLinkClosed { self.end() }
        self.resumeReading(after: .turn)
    }

    /// Calls `body` once everything that was read from the client is processed, without waiting for slow receivers.
    func afterInput(_ body: @escaping () -> Void) {
        let isWaiting = self.isPaused(for: .turn)
        guard self.phase == .connected, isWaiting || !self.waitingPackets.isEmpty else { return body() }
        self.doneWithInput.append(body)
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
}

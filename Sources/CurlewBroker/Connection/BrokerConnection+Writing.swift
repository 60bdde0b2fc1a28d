import CurlewCore
import NIOCore
import Synchronization

// What is sent to the client: answers, and what its session has written.
extension BrokerConnection {
    /// Adds an answer, which leaves at the end of this round of the event loop.
    func reply(_ packet: Packet) {
        guard self.life.canWrite else { return }
        let fitting = self.version == .v5_0 ? self.fitted(packet) : packet
        // A packet that is still larger than the client accepts is not sent [MQTT-3.1.2-27].
        guard let fitting, (try? fitting.encode(into: &self.output.replies, version: self.version)) != nil else {
            return self.couldNotAnswer(packet)
        }
        self.worker.counters.messagesSent.count()
        self.flushSoon()
    }

    /// The packet with a valid reason code, and without texts that make it larger than the client accepts
    /// [MQTT-3.2.2-19] [MQTT-3.14.2-3].
    func fitted(_ packet: Packet) -> Packet? {
        guard self.version == .v5_0 else { return packet }
        var packet = packet
        packet.fitReasonCode()
        guard let maximum = self.maximumPacketSize else { return packet }
        if let size = try? packet.encodedSize(version: .v5_0), size <= Int(maximum) { return packet }
        packet.removeWords()
        guard let size = try? packet.encodedSize(version: .v5_0), size <= Int(maximum) else { return nil }
        return packet
    }

    /// Closes the connection, because the client would wait for the answer for ever.
    private func couldNotAnswer(_ packet: Packet) {
        switch packet {
        case .connack, .disconnect: break
        default: self.close(.packetTooLarge, "\(packet.type) would be larger than the client's Maximum Packet Size.")
        }
    }

    /// Sends the last packet of a connection immediately, after the answers that wait.
    func send(_ packet: Packet) {
        self.dropUncommitted()
        self.reply(packet)
        self.flushReplies()
    }

    func flushSoon() {
        guard self.life.canWrite, self.output.requestFlush() else { return }
        self.worker.flushSoon(self.handle)
    }

    /// Sends everything in one write. What a slow client cannot take yet stays in its session.
    func flush() {
        self.output.flushBegan()
        guard self.life.canWrite else { return }
        guard self.link.isWritable, self.output.uncommittedByteCount < HostedSession.highWaterMark else {
            return self.hold()
        }
        var (bytes, position) = self.output.takeReplies()
        var hasMore = false
        if let session, self.phase == .connected {
            let now = self.engine.clock.now()
            hasMore = self.continueRetained(now: now)
            let output = session.takeOutput(after: &bytes, now: now)
            position.advance(to: output.position)
            hasMore = hasMore || output.hasMore || !self.retained.isEmpty && session.takesMore
            self.worker.counters.publishesSent.count(output.pumped.written)
            self.worker.onLoop.work += Self.workOfWriting + output.pumped.written
            if !output.pumped.dropped.isEmpty { self.report(output.pumped.dropped) }
            session.release(output.released)
        }
        self.write(bytes, after: position)
        self.resumeReading(after: .answers)
        if hasMore, self.link.isWritable { self.flushLater() }
    }

    /// The work of a write to the system.
    private static let workOfWriting = 8

    /// Continues after other connections have had their turn.
    private func flushLater() {
        guard self.output.requestFlush() else { return }
        self.worker.continueLater { [reference] in reference.onLoop?.flush() }
    }

    /// Sends the last answers, even if the link is not writable.
    func flushReplies() { self.write(exchange(&self.output.replies, with: ByteBuffer())) }

    private func write(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0, self.life.canWrite else { return }
        self.memory.isOutdated = true
        self.worker.counters.bytesSent.count(bytes.readableBytes)
        self.link.write(bytes)
    }

    /// Nothing can leave at the moment: the client takes nothing, or the store is slow. A client that continues to send
    /// requests is not read any more.
    private func hold() {
        self.memory.isOutdated = true
        let waiting = self.session?.state.withLock { state in
            state.isWritable = false
            state.isFlushPending = false
            return state.out.readableBytes
        }
        guard
            self.output.replies.readableBytes + max(0, (waiting ?? 0) - HostedSession.highWaterMark) > Self.mostReplies,
            !self.isPaused(for: .answers)
        else { return }
        self.pauseReading(for: .answers)
    }

    /// When so many bytes of answers wait, the client is not read any more.
    private static let mostReplies = 64 << 10

    private func report(_ dropped: [BrokerSession.Dropped]) {
        var effects = Effects()
        for one in dropped {
            let (topic, reason): (TopicName, MQTTDropReason) =
                switch one {
                case .expired(let topic): (topic, .expired)
                case .tooLarge(let topic): (topic, .tooLarge)
                }
            self.engine.countDropped(topic, reason, for: self.client.identifier, on: self.worker, &effects)
        }
        self.engine.complete(effects, on: self.worker)
    }

    func linkWritabilityChanged(_ isWritable: Bool) {
        if isWritable { self.flushSoon() } else { self.session?.state.withLock { $0.isWritable = false } }
    }

    // MARK: The store

    /// The answers to a packet wait until what it has changed is stored. While the store is behind, nothing more is
    /// read.
    func holdReplies(for position: JournalPosition) {
        guard position > .none else { return }
        self.output.repliesWait(for: position)
        guard self.engine.journal?.isBehind == true, !self.isPaused(for: .store), self.phase != .closed else {
            return
        }
        self.pauseReading(for: .store)
        self.waitForCommit()
    }

    /// Sends bytes once a position is committed, and after everything that waits already.
    private func write(_ bytes: ByteBuffer, after position: JournalPosition) {
        guard let journal = self.engine.journal, self.output.isUncommitted || !journal.isCommitted(position) else {
            return self.write(bytes)
        }
        self.output.append(bytes, after: position)
        self.waitForCommit()
    }

    private func waitForCommit() {
        guard self.output.requestCommit() else { return }
        self.worker.onLoop.waitingForCommit.append(self.handle)
    }

    /// Calls `body` when the store is no longer behind. If that takes longer than the client may take to connect, the
    /// client is refused instead.
    func waitForStore(_ body: @escaping (BrokerConnection) -> Void) {
        self.whenStored = body
        self.waitForCommit()
    }

    /// The store has committed more than before: sends what has waited for that.
    func changesCommitted() {
        guard let journal = self.engine.journal, self.life.canWrite else { return }
        self.write(self.output.committed(journal.isCommitted))
        if !journal.isBehind { self.resumeReading(after: .store) }
        if !journal.isBehind, let body = exchange(&self.whenStored, with: nil) { body(self) }
        if self.output.isUncommitted || self.isPaused(for: .store) || self.whenStored != nil {
            self.waitForCommit()
        }
        self.flushSoon()
    }

    /// The connection ends: answers that depend on uncommitted changes are dropped.
    func dropUncommitted() {
        if let journal = self.engine.journal { self.output.dropUncommitted(journal.isCommitted) }
    }
}

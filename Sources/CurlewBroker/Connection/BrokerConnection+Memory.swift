import CurlewCore
import NIOCore
import Synchronization

// What a connection makes the broker hold besides its session (``MemoryBudget``). It is counted when the connection opens, once a second, and when a
// packet has half come that is not small.
extension BrokerConnection {
    /// Counts what the connection holds now.
    func countMemory() {
        guard !self.isForgotten else { return }
        var bytes = Self.overhead + self.link.overhead + self.link.unsentBytes
        bytes += self.input.capacity + self.input.decoder.byteCount + self.waitingPackets.byteCount
        bytes += self.replies.readableBytes + self.uncommitted.byteCount
        bytes += self.aliases.byteCount + self.permissions.byteCount + self.incoming.byteCount
        bytes += self.session?.outputBytes ?? 0
        bytes += self.admitted?.authenticationMethod?.utf8.count ?? 0
        self.setCounted(bytes)
        // What waits to leave becomes less by itself.
        self.mustCount = self.link.unsentBytes > 0 || !self.link.isWritable
    }

    /// The link is closed: the connection holds nothing any more.
    func forgetMemory() {
        self.setCounted(0)
        self.isForgotten = true
        self.fulfilExpectation()
    }

    private func fulfilExpectation() {
        if let expectation = Swift.exchange(&self.expectation, with: nil) { self.engine.budget.fulfilled(expectation) }
    }

    /// The client holds more of a full memory than others.
    func closeForMemory(_ expectation: MemoryBudget.Expectation) {
        self.expectation = expectation
        self.settle { [reference] in
            guard let connection = reference.onLoop else { return }
            connection.close(
                .quotaExceeded, "The server's memory is full, and this client holds more of it than others.")
            connection.letGo()
        }
    }

    /// Nothing of the client is read any more. What it does not take goes with the link.
    private func letGo() {
        self.input.clear()
        self.aliases = IncomingTopicAliases(maximum: 0)
        if self.link.unsentBytes > Self.smallPacket { self.link.close() }
        self.countMemory()
        self.fulfilExpectation()
    }

    private func setCounted(_ bytes: Int) {
        self.engine.budget.changed(by: bytes - self.countedBytes)
        self.countedBytes = bytes
        self.session?.connectionBytes.store(bytes, ordering: .relaxed)
    }

    /// The objects of a connection, roughly.
    private static let overhead = 4096

    /// Half a packet waits for its end: closes the connection if that takes more than the client may hold.
    func checkPartialPacket() {
        guard self.input.capacity > Self.smallPacket, self.phase != .closed else { return }
        self.countMemory()
        let holding = self.countedBytes + (self.session?.weight.value ?? 0)
        // For somebody whom nobody knows yet, no client has to make room.
        if self.phase != .connected, self.engine.budget.isFull {
            self.finish()
            self.input.clear()
            return self.link.close()
        }
        guard self.engine.budget.room(holding: holding) == 0 else { return }
        // Whoever holds most has to make room, which may be this client.
        self.engine.reclaimMemory(on: self.worker)
        guard !self.engine.budget.isExpectingSome, self.engine.budget.room(holding: holding) == 0 else { return }
        // Whatever else has arrived stands behind this packet, and is out of reach without the memory for it.
        self.close(.quotaExceeded, "The server's memory is full, and the packet is too large for what is left.")
    }

    private static let smallPacket = 4096

    /// Ends a connection that holds what it must not hold any longer.
    ///
    /// - Returns: Whether it has ended.
    func endIfGreedy(now: Timestamp) -> Bool {
        if self.mustCount { self.countMemory() }
        if self.phase != .connected, self.engine.budget.isFull, self.input.capacity > Self.smallPacket {
            // Who has not even connected goes first.
            self.finish()
            return true
        }
        guard self.isPacketOverdue(now: now) else { return false }
        self.settle { [reference] in
            // A loop that was busy has not read yet what has come in time.
            guard let connection = reference.onLoop, connection.isPacketOverdue(now: connection.engine.clock.now())
            else {
                return
            }
            connection.close(.quotaExceeded, "A packet has not come to its end in time.")
        }
        return true
    }

    private func isPacketOverdue(now: Timestamp) -> Bool {
        self.isReadingOn && self.partialPacket.isOverdue(now: now, rested: self.restedUntil)
    }
}

extension HostedSession {
    /// What is written for the connection and not taken yet, and the topics with an alias.
    var outputBytes: Int { self.state.withLock { $0.out.readableBytes + $0.session.aliasBytes } }
}

import CurlewCore
import NIOCore
import Synchronization

// The memory of a connection besides its session (``MemoryBudget``). It is counted when the connection opens, once a
// second, and when a part of a large packet has been received.
extension BrokerConnection {
    /// Counts what the connection holds now.
    func countMemory() {
        guard !self.life.isForgotten else { return }
        var bytes = Self.overhead + self.link.overhead + self.link.unsentBytes
        bytes +=
            self.input.capacity + self.link.heldBytes + self.input.decoder.byteCount + self.waitingPackets.byteCount
        bytes += self.output.byteCount
        bytes += self.aliases.byteCount + self.permissions.byteCount + self.incoming.byteCount
        bytes += self.session?.outputBytes ?? 0
        bytes += self.admitted?.authenticationMethod?.utf8.count ?? 0
        self.setCounted(bytes)
        // Unsent bytes become fewer by themselves.
        self.memory.isOutdated = self.link.unsentBytes > 0 || !self.link.isWritable
    }

    /// The link is closed: the connection holds nothing any more.
    func forgetMemory() {
        self.setCounted(0)
        self.fulfilExpectation()
    }

    private func fulfilExpectation() {
        if let expectation = exchange(&self.memory.expectation, with: nil) { self.engine.budget.fulfilled(expectation) }
    }

    /// The client holds more of a full memory than others.
    func closeForMemory(_ expectation: MemoryBudget.Expectation) {
        self.memory.expectation = expectation
        self.settle { [reference] in
            guard let connection = reference.onLoop else { return }
            connection.close(
                .quotaExceeded, "The server's memory is full, and this client holds more of it than others.")
            connection.letGo()
        }
    }

    /// Nothing of the client is read any more. If it does not take much that was written, the link is closed at once.
    private func letGo() {
        self.input.clear()
        self.aliases = IncomingTopicAliases(maximum: 0)
        if self.link.unsentBytes > Self.smallPacket { self.link.close() }
        self.countMemory()
        self.fulfilExpectation()
    }

    private func setCounted(_ bytes: Int) {
        self.engine.budget.changed(by: self.memory.update(to: bytes))
        self.session?.connectionBytes.store(bytes, ordering: .relaxed)
    }

    /// The objects of a connection, roughly.
    private static let overhead = 4096

    /// A part of a packet was received: closes the connection if that takes more memory than the client may use.
    func checkPartialPacket() {
        guard self.input.capacity + self.heldBytes > Self.smallPacket, self.phase != .closed else { return }
        self.countMemory()
        let holding = self.memory.byteCount + (self.session?.weight.value ?? 0)
        // No client has to make room for one that is not even connected.
        if self.phase != .connected, self.engine.budget.isFull {
            self.finish()
            self.input.clear()
            return self.link.close()
        }
        guard self.engine.budget.room(holding: holding) == 0 else { return }
        // The client that holds most has to make room, which may be this one.
        self.engine.reclaimMemory(on: self.worker)
        guard !self.engine.budget.isExpectingSome, self.engine.budget.room(holding: holding) == 0 else { return }
        // Everything else that has arrived comes after this packet, and cannot be processed without memory for it.
        self.close(.quotaExceeded, "The server's memory is full, and the packet is too large for what is left.")
    }

    private static let smallPacket = 4096

    /// Ends a connection that holds memory before its client has connected, if memory is full.
    ///
    /// - Returns: Whether it has ended.
    func endIfGreedy() -> Bool {
        if self.memory.isOutdated { self.countMemory() }
        guard self.phase != .connected, self.engine.budget.isFull,
            self.input.capacity + self.heldBytes > Self.smallPacket
        else { return false }
        self.finish()
        return true
    }
}

extension HostedSession {
    /// The memory of bytes that are written and not taken yet, and of topics with an alias.
    var outputBytes: Int { self.state.withLock { $0.out.readableBytes + $0.session.aliasBytes } }
}

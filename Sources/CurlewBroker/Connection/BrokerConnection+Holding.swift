import CurlewCore
import NIOCore

// A client that publishes more than its receivers acknowledge (``Backpressure``) waits for them: its messages are not processed, so that they are
// not acknowledged either, and the client stops by itself when it has as many in flight as it may. What it acknowledges is still processed.
extension BrokerConnection {
    /// The next packet to process: one that has waited, or the next of what was read.
    func nextPacket() throws(DecodingError) -> Packet? {
        guard self.publishHold.isActive else {
            if let packet = self.waitingPackets.popFirst() { return packet }
            guard self.malformedInput == nil else { return nil }
            return try self.input.next()
        }
        while !self.waitingPackets.isFull {
            let before = self.input.waiting
            guard let packet = try self.input.next() else { return nil }
            guard !packet.overtakesMessages else { return packet }
            self.waitingPackets.append(packet, size: before - self.input.waiting)
        }
        if !self.pausedFor.contains(.receivers) { self.pauseReading(for: .receivers) }
        return nil
    }

    /// Lets nothing pass that the client publishes until those that its message has gone to have drained their queues.
    func hold(for routing: BrokerEngine.Routing) {
        let now = self.engine.clock.now()
        let held = self.publishHold.held(
            by: routing.holders, until: routing.heldUntil,
            longest: self.engine.configuration.limits.maximumPublisherDelay, now: now)
        guard case .began(let until) = held else { return }
        self.worker.counters.holds.count()
        self.watchHold(for: until - now)
    }

    /// One timer serves many holds, which hardly ever last until it fires.
    private func watchHold(for duration: Duration) {
        let time = self.engine.clock.now() + duration
        if let watched = self.holdWatchedUntil, watched <= time { return }
        self.holdWatchedUntil = time
        self.engine.deadlines.schedule(after: duration) { [reference] in reference.execute { $0.holdTimerFired() } }
    }

    private func holdTimerFired() {
        let now = self.engine.clock.now()
        if let watched = self.holdWatchedUntil, watched <= now { self.holdWatchedUntil = nil }
        if self.publishHold.timeIsUp(now: now) {
            self.goOn(now: now)
        } else if let deadline = self.publishHold.deadline {
            self.watchHold(for: deadline - now)
        }
    }

    func released(by holder: ObjectIdentifier) {
        if self.publishHold.released(by: holder) { self.goOn(now: self.engine.clock.now()) }
    }

    private func goOn(now: Timestamp) {
        // The client was not silent while it was not read.
        self.lastRead = now
        self.resumeAfterHold(now: now)
        if !self.pausedFor.contains(.turn) { self.process() }
    }

    /// Nothing that the client has sent waits for receivers any more.
    func resumeAfterHold(now: Timestamp) {
        guard self.pausedFor.contains(.receivers) else { return }
        self.restedUntil = max(self.restedUntil, now)
        self.resumeReading(after: .receivers)
    }
}

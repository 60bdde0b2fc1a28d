import CurlewCore
import NIOCore

// A client that publishes more than its receivers acknowledge (``Backpressure``) waits for them: its messages are not
// processed and therefore not acknowledged, and the client stops when it has as many in flight as it may. Its own
// acknowledgements are still processed.
extension BrokerConnection {
    /// The next packet to process: one that has waited, or the next one of the input.
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
        if !self.isPaused(for: .receivers) { self.pauseReading(for: .receivers) }
        return nil
    }

    /// Holds further messages of the client until the receivers of this one have drained their queues.
    func hold(for routing: BrokerEngine.Routing) {
        let now = self.engine.clock.now()
        let held = self.publishHold.held(
            by: routing.holders, until: routing.heldUntil,
            longest: self.engine.configuration.limits.maximumPublisherDelay, now: now)
        guard case .began(let until) = held else { return }
        self.worker.counters.holds.count()
        self.watchHold(for: until - now)
    }

    /// One timer serves many holds, because few of them last until it fires.
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
        // While it was not read, the client was not silent.
        self.life.reading.silenceBegins(now: now)
        self.resumeReading(after: .receivers)
        if !self.isPaused(for: .turn) { self.process() }
    }
}

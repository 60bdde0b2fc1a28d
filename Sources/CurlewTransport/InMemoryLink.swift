package import NIOCore

/// One end of an in-process link.
package final class InMemoryLink: Link {
    private struct State {
        /// The other end; `nil` once it needs no more notifications.
        var far: InMemoryLink?
        /// Present from opening to closing.
        var owner: (any LinkHandler)?
        var isReading = true
        /// How many bytes to pass to the owner although reading is off.
        var drained = 0
        /// Bytes that arrived and were not passed to the owner yet.
        var unread: CircularBuffer<ByteBuffer> = []
        /// The number of bytes that this end wrote and the other end has not read yet.
        var underWay = 0
        var isWritable = true
        /// Whether this end writes no more, and discards incoming bytes.
        var isClosing = false
        /// Whether the other end writes no more.
        var hasEnded = false
        var closeDeadline: Scheduled<Void>?
    }

    package let eventLoop: any EventLoop
    package let peer: String
    package let isLocal = true
    private let capacity: Int
    private let state: NIOLoopBoundBox<State>

    init(eventLoop: any EventLoop, peer: String, capacity: Int) {
        self.eventLoop = eventLoop
        self.peer = peer
        self.capacity = capacity
        self.state = .makeBoxSendingValue(State(), eventLoop: eventLoop)
    }

    // MARK: For the owner

    package var isWritable: Bool { self.state.value.isWritable }

    package var unsentBytes: Int { self.state.value.underWay }

    package func write(_ bytes: ByteBuffer) {
        guard let far = self.state.value.far, !self.state.value.isClosing, bytes.readableBytes > 0 else { return }
        self.state.value.underWay += bytes.readableBytes
        self.updateWritability()
        far.eventLoop.execute { far.receive(bytes) }
    }

    package func setReading(_ isOn: Bool) {
        guard self.state.value.isReading != isOn, !self.state.value.isClosing else { return }
        self.state.value.isReading = isOn
        // In a separate task, so that the owner is not called from within its own call.
        if isOn { self.eventLoop.execute { self.readOn() } }
    }

    package func drain(atMost maximum: Int, within limit: Duration, then body: @escaping @Sendable () -> Void) {
        // Bytes that the other end has written are in tasks before this one.
        self.eventLoop.execute {
            self.state.value.drained = maximum
            self.readOn()
            self.state.value.drained = 0
            body()
        }
    }

    package func closeAfterWrites(within limit: Duration) {
        guard self.state.value.far != nil, !self.state.value.isClosing else { return }
        self.state.value.isClosing = true
        self.state.value.isReading = true
        self.state.value.closeDeadline = self.eventLoop.scheduleTask(in: TimeAmount(limit)) { self.finish(nil) }
        self.eventLoop.execute { self.readOn() }
        if let far = self.state.value.far { far.eventLoop.execute { far.receiveEnd() } }
    }

    package func close() {
        self.eventLoop.execute { self.finish(nil) }
    }

    /// Breaks the link like a failing network: both ends get `error`. Can be called from any thread.
    package func fail(_ error: TransportError) {
        self.eventLoop.execute {
            let far = self.state.value.far
            self.state.value.far = nil
            self.finish(error)
            if let far { far.eventLoop.execute { far.finish(error) } }
        }
    }

    // MARK: For the network and the other end

    func open(to far: InMemoryLink, makeOwner: (InMemoryLink) -> any LinkHandler) {
        self.state.value.far = far
        self.state.value.owner = makeOwner(self)
        self.readOn()
    }

    /// Closes the accepted end of a link whose other end gave up before it opened.
    func abandon(_ far: InMemoryLink) {
        far.eventLoop.execute { far.finish(nil) }
    }

    private func receive(_ bytes: ByteBuffer) {
        self.state.value.unread.append(bytes)
        self.readOn()
    }

    private func receiveEnd() {
        self.state.value.hasEnded = true
        self.readOn()
    }

    private func acknowledge(_ count: Int) {
        self.state.value.underWay -= count
        self.updateWritability()
    }

    // MARK: On the event loop

    /// Passes the received bytes to the owner, then the end of the stream.
    private func readOn() {
        guard self.reads, let owner = self.state.value.owner else { return }
        var count = 0
        while self.reads, self.state.value.owner != nil, !self.state.value.unread.isEmpty {
            let bytes = self.state.value.unread.removeFirst()
            count += bytes.readableBytes
            self.state.value.drained -= min(self.state.value.drained, bytes.readableBytes)
            if !self.state.value.isClosing { owner.linkRead(bytes) }
        }
        if count > 0 {
            if self.state.value.owner != nil, !self.state.value.isClosing { owner.linkReadCompleted() }
            if let far = self.state.value.far { far.eventLoop.execute { [count] in far.acknowledge(count) } }
        }
        if self.state.value.hasEnded, self.state.value.unread.isEmpty { self.finish(nil) }
    }

    private var reads: Bool { self.state.value.isReading || self.state.value.drained > 0 }

    private func updateWritability() {
        let state = self.state.value
        let isWritable = state.underWay <= (state.isWritable ? self.capacity : self.capacity / 4)
        guard isWritable != state.isWritable, !state.isClosing else { return }
        self.state.value.isWritable = isWritable
        // In a separate task, so that the owner is not called from within its own call.
        self.eventLoop.execute {
            guard !self.state.value.isClosing else { return }
            self.state.value.owner?.linkWritabilityChanged(isWritable)
        }
    }

    private func finish(_ error: TransportError?) {
        guard let owner = self.state.value.owner else { return }
        let far = self.state.value.far
        self.state.value.closeDeadline?.cancel()
        self.state.value = State(isReading: false, isWritable: false, isClosing: true)
        owner.linkClosed(error)
        if let far { far.eventLoop.execute { far.receiveEnd() } }
    }
}

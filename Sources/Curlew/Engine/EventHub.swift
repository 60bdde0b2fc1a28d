import Synchronization

/// Sends events to any number of listeners, each with a bounded buffer that drops its oldest events when it is full.
final class EventHub: Sendable {
    /// Guards the listeners and the last identifier.
    private let listeners = Mutex((byID: [Int: AsyncStream<MQTTEvent>.Continuation](), next: 0))
    private let bufferSize: Int

    init(bufferSize: Int) {
        self.bufferSize = bufferSize
    }

    deinit {
        for continuation in self.listeners.withLock({ $0.byID.values }) { continuation.finish() }
    }

    func listen() -> AsyncStream<MQTTEvent> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: MQTTEvent.self, bufferingPolicy: .bufferingNewest(self.bufferSize))
        let id = self.listeners.withLock { listeners in
            listeners.next += 1
            listeners.byID[listeners.next] = continuation
            return listeners.next
        }
        continuation.onTermination = { [weak self] _ in
            self?.listeners.withLock { _ = $0.byID.removeValue(forKey: id) }
        }
        return stream
    }

    func post(_ event: MQTTEvent) {
        let continuations = self.listeners.withLock { Array($0.byID.values) }
        for continuation in continuations { continuation.yield(event) }
    }
}

import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

/// The response subscription that all requests of a client share. Correlation data tells which request a reply belongs
/// to.
final class ReplyInbox: MessageReceiver {
    private struct State {
        /// By correlation data.
        var waiting: [UInt64: ReplyBuffer] = [:]
        var nextCorrelation: UInt64 = 0
        /// Why no more replies follow.
        var error: MQTTError?
        /// The task that subscribes the inbox.
        var subscribing: Task<Void, Never>?
    }

    let id: SubscriberID
    let filter: TopicFilter
    /// Set when the server grants (`nil`) or refuses the subscription.
    let subscribed = OneShot<MQTTError?>()
    private unowned let owner: any ReceiverOwner
    /// Distinguishes the correlation data of this inbox from that of others that may use its topic.
    private let salt = UInt64.random(in: .min ... .max)
    /// Guards the waiting requests.
    private let state = Mutex(State())

    init(id: SubscriberID, filter: TopicFilter, owner: any ReceiverOwner) {
        self.id = id
        self.filter = filter
        self.owner = owner
    }

    var filters: [TopicFilter] { [self.filter] }

    /// Replies are acknowledged on arrival.
    var messageInHand: MQTTMessage? { nil }

    /// Keeps the task that subscribes the inbox. The end of the inbox cancels it.
    func own(_ subscribing: Task<Void, Never>) {
        let hasEnded = self.state.withLock { state in
            state.subscribing = subscribing
            return state.error != nil
        }
        if hasEnded { subscribing.cancel() }
    }

    /// Registers a request. Returns its correlation data.
    ///
    /// - Throws: ``MQTTError`` if too many requests are waiting, or the error that ended the inbox.
    func register(
        _ buffer: ReplyBuffer, limit: Int
    ) throws(MQTTError) -> (correlation: UInt64, data: ByteBuffer) {
        let registered: Result<UInt64, MQTTError> = self.state.withLock { state in
            if let error = state.error { return .failure(error) }
            guard state.waiting.count < limit else {
                return .failure(
                    MQTTError(
                        .queueFull,
                        "\(limit) requests are already waiting for replies: raise `limits.waitingRequests`."))
            }
            state.nextCorrelation += 1
            state.waiting[state.nextCorrelation] = buffer
            return .success(state.nextCorrelation)
        }
        let correlation: UInt64
        do { correlation = try registered.get() } catch { throw error.with(delivery: .notSent) }
        var data = ByteBuffer()
        data.writeMultipleIntegers(self.salt, correlation)
        return (correlation, data)
    }

    func forget(_ correlation: UInt64) {
        self.state.withLock { _ = $0.waiting.removeValue(forKey: correlation) }
    }

    func receive(_ batch: [MQTTMessage]) {
        var unexpected = 0
        for message in batch {
            guard let correlation = self.correlation(of: message),
                let buffer = self.state.withLock({ $0.waiting[correlation] })
            else {
                unexpected += 1
                continue
            }
            switch buffer.receive(message) {
            case .taken: break
            case .last: self.forget(correlation)
            case .dropped: unexpected += 1
            }
        }
        self.owner.acknowledge(batch.compactMap(\.token))
        if unexpected > 0 { self.owner.countUnexpectedReplies(unexpected) }
    }

    /// Nobody else uses its topic, so no messages can wait for it.
    func adopt(_ messages: [MQTTMessage]) {}

    /// Reports to the request why it gets no reply.
    func miss(_ message: MQTTMessage, _ error: MQTTError) {
        guard let correlation = self.correlation(of: message) else { return }
        self.state.withLock { $0.waiting.removeValue(forKey: correlation) }?.finish(error)
    }

    private func correlation(of reply: MQTTMessage) -> UInt64? {
        guard var data = reply.properties.correlationData, data.readableBytes == 16,
            let (salt, correlation) = data.readMultipleIntegers(as: (UInt64, UInt64).self), salt == self.salt
        else { return nil }
        return correlation
    }

    func finish(_ error: MQTTError?) {
        let error = error ?? MQTTError(.clientStopped, "The client was disconnected.")
        self.subscribed.set(error)
        let (waiting, subscribing) = self.state.withLock { state in
            state.error = error
            return (exchange(&state.waiting, with: [:]), exchange(&state.subscribing, with: nil))
        }
        subscribing?.cancel()
        for buffer in waiting.values { buffer.finish(error) }
    }
}

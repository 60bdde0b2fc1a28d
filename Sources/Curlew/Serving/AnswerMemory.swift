import CurlewTransport
import DequeModule

/// The answers to recent requests, so that a request that the broker delivers again is answered again, and not handled
/// twice. Bounded by bytes: the oldest answers are forgotten first.
struct AnswerMemory<Key: Hashable, Answer, Delivery> {
    private enum Entry {
        /// The request is being handled; this is its latest later delivery.
        case running(Delivery?)
        case answered(Answer, bytes: Int, until: Timestamp)
    }

    private let limit: Int
    private var entries: [Key: Entry] = [:]
    /// The keys of the answers, the oldest first.
    private var order = Deque<Key>()
    private(set) var bytes = 0

    /// What each entry costs beside the answer.
    private static var overhead: Int { 256 }

    init(limit: Int) { self.limit = limit }

    /// What to do with a request.
    enum Begun {
        /// Handle it, and call ``ended(_:_:bytes:until:)`` or ``gaveUp(_:)``.
        case new
        /// Handle it, and forget it: another request with the same key is being handled.
        case separate
        /// It is being handled: its answer is also the one to this delivery, which takes the place of this earlier one.
        case running(insteadOf: Delivery?)
        /// It was handled: answer this.
        case answered(Answer)
    }

    /// A request arrived.
    ///
    /// - Parameters:
    ///   - delivery: What to acknowledge when the request was handled; `nil` if there is nothing to acknowledge.
    ///   - isRepeated: Whether an equal key means that it is the same request. If not, it may be another one of a caller
    ///     that does not change its identifiers.
    mutating func begin(_ key: Key, _ delivery: Delivery?, isRepeated: Bool, now: Timestamp) -> Begun {
        self.forgetExpired(now)
        switch self.entries[key] {
        case .running(let earlier)?:
            guard isRepeated else { return .separate }
            guard let delivery else { return .running(insteadOf: nil) }
            self.entries[key] = .running(delivery)
            return .running(insteadOf: earlier)
        case .answered(let answer, _, let end)? where isRepeated && end > now: return .answered(answer)
        case .answered?: self.forget(key)
        case nil: break
        }
        self.entries[key] = .running(nil)
        return .new
    }

    /// A request was handled. Returns its later delivery.
    mutating func ended(_ key: Key, _ answer: Answer, bytes: Int, until end: Timestamp) -> Delivery? {
        guard let index = self.entries.index(forKey: key), case .running(let delivery) = self.entries.values[index]
        else { return nil }
        let cost = bytes + Self.overhead
        guard cost <= self.limit else {
            self.entries.remove(at: index)
            return delivery
        }
        self.entries.values[index] = .answered(answer, bytes: cost, until: end)
        self.order.append(key)
        self.bytes += cost
        while self.bytes > self.limit, let oldest = self.order.popFirst() { self.forget(oldest) }
        return delivery
    }

    /// A request was not handled, so that its next delivery is a new one. Returns its later delivery.
    mutating func gaveUp(_ key: Key) -> Delivery? {
        guard case .running(let delivery)? = self.entries[key] else { return nil }
        self.entries[key] = nil
        return delivery
    }

    private mutating func forgetExpired(_ now: Timestamp) {
        while let oldest = self.order.first {
            if case .answered(_, _, let end)? = self.entries[oldest], end > now { return }
            self.order.removeFirst()
            self.forget(oldest)
        }
    }

    private mutating func forget(_ key: Key) {
        guard case .answered(_, let bytes, _)? = self.entries[key] else { return }
        self.entries[key] = nil
        self.bytes -= bytes
    }
}

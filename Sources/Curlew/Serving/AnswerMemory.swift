import CurlewTransport
import DequeModule

/// The answers to recent requests, so that a request that the broker delivers again is answered again, and not handled
/// twice. Bounded by bytes: the oldest answers are forgotten first.
struct AnswerMemory<Answer, Delivery> {
    private enum Entry {
        /// The request is being handled; these are its later deliveries.
        case running([Delivery])
        case answered(Answer, bytes: Int, until: Timestamp)
    }

    private let limit: Int
    private var entries: [String: Entry] = [:]
    /// The keys of the answers, the oldest first.
    private var order = Deque<String>()
    private(set) var bytes = 0

    /// What each entry costs beside the answer.
    private static var overhead: Int { 256 }

    init(limit: Int) { self.limit = limit }

    /// What to do with a request.
    enum Begun {
        /// Handle it, and call ``ended(_:_:bytes:until:)`` or ``gaveUp(_:)``.
        case new
        /// It is being handled: its answer is also the one to this delivery, which is kept.
        case running
        /// It was handled: answer this.
        case answered(Answer)
    }

    /// A request arrived.
    mutating func begin(_ key: String, _ delivery: Delivery, now: Timestamp) -> Begun {
        self.forgetExpired(now)
        switch self.entries[key] {
        case nil:
            self.entries[key] = .running([])
            return .new
        case .running(var deliveries)?:
            deliveries.append(delivery)
            self.entries[key] = .running(deliveries)
            return .running
        case .answered(let answer, _, _)?: return .answered(answer)
        }
    }

    /// A request was handled. Returns its later deliveries.
    mutating func ended(_ key: String, _ answer: Answer, bytes: Int, until end: Timestamp) -> [Delivery] {
        let deliveries = self.gaveUp(key)
        let cost = bytes + Self.overhead + key.utf8.count
        guard cost <= self.limit else { return deliveries }
        self.entries[key] = .answered(answer, bytes: cost, until: end)
        self.order.append(key)
        self.bytes += cost
        while self.bytes > self.limit, let oldest = self.order.popFirst() { self.forget(oldest) }
        return deliveries
    }

    /// A request was not handled, so that its next delivery is a new one. Returns its later deliveries.
    mutating func gaveUp(_ key: String) -> [Delivery] {
        guard case .running(let deliveries)? = self.entries.removeValue(forKey: key) else { return [] }
        return deliveries
    }

    private mutating func forgetExpired(_ now: Timestamp) {
        while let oldest = self.order.first, case .answered(_, _, let end)? = self.entries[oldest], end <= now {
            self.order.removeFirst()
            self.forget(oldest)
        }
    }

    private mutating func forget(_ key: String) {
        guard case .answered(_, let bytes, _)? = self.entries.removeValue(forKey: key) else { return }
        self.bytes -= bytes
    }
}

/// Finds a packet that makes the server end every connection on which it is sent, so that it is not resent for ever: a
/// message or a subscription that crashes the server, or that the server answers by closing the connection.
///
/// A packet that is unanswered when the server ends a connection becomes a suspect. After two such connections, the
/// suspects are sent one at a time, with nothing else pending, so that only one of them can be the cause. As they are
/// answered, the number sent at once doubles, and a connection that has lived for half a minute sends them all. A
/// suspect that was alone when the third or a later connection ended is accused: the next connection is a trial without
/// any suspect. If it outlives the connections that ended with the accused packet, that packet is given up. If it ends
/// as well, the cause is another one, and the accused packet is a suspect again.
///
/// A connection that ends long after it began makes its packets suspects only once: servers restart, and load balancers
/// close old connections.
///
/// Lives as long as the session. Costs nothing while connections live.
struct PoisonDetector: Sendable {
    /// Something that is sent on each connection until the server answers it.
    enum Item: Hashable, Sendable {
        /// A PUBLISH at QoS 1 or 2, or its PUBREL.
        case publish(RequestID)
        /// The same, if no request waits for it.
        case exchange(PacketID)
        /// SUBSCRIBE, for the filter with that subscription identifier.
        case subscribe(UInt32)
        /// UNSUBSCRIBE, for the filter with that subscription identifier.
        case unsubscribe(UInt32)
    }

    /// An item to give up.
    struct Verdict: Equatable {
        let item: Item
        /// The number of consecutive connections that ended while it was unanswered.
        let connections: Int
    }

    private struct Record {
        var connections = 0
        var wasAlone = false
        /// The duration of the shortest of these connections.
        var shortest = Duration.seconds(Int64.max / 4)
    }

    private struct Trial {
        let accused: Item
        let end: Timestamp
        /// Whether the server has answered a PINGREQ.
        var hasAnswered = false
        var isOver = false
    }

    /// From this number of consecutive connections on, suspects are sent one at a time.
    private static let shared = 2
    /// This number of consecutive connections leads to an accusation.
    private static let accusing = 3
    /// The shortest trial.
    private static let shortestTrial = Duration.seconds(1)
    /// How long a server may take to end a connection because of a packet. Suspects are sent one at a time for no
    /// longer than this, so that a slow server does not hold back all other packets. A trial need not last longer
    /// either.
    private static let patience = Duration.seconds(30)
    /// More items than can be in flight.
    private static let maximumCount = 1 << 17

    // MARK: As long as the session

    private var records: [Item: Record] = [:]
    /// The number of items to send one at a time.
    private var suspects = 0

    // MARK: As long as the connection

    private var connectedAt: Timestamp?
    private var trial: Trial?
    /// Whether ``maySend(_:)`` and ``sent(_:)`` must be called.
    private(set) var isIsolating = false
    private var isolationEnd = Timestamp.start
    /// What was sent while ``isIsolating``.
    private var unanswered = (all: 0, suspects: 0)
    /// How many items may be unanswered when a suspect is sent, and how many suspects were answered since that changed.
    private var window = (size: 1, answered: 0)

    /// Whether ``answered(_:)`` must be called, and the pending items matter when a connection begins.
    var isActive: Bool { self.isIsolating || !self.records.isEmpty }

    // MARK: Events

    /// A connection begins. Returns whether it is a trial: then a PINGREQ must be sent.
    ///
    /// - Parameter pending: The items to send until the server answers them. All others are forgotten.
    mutating func connected(pending: Set<Item>, now: Timestamp) -> Bool {
        self.connectionLost()
        if !self.records.isEmpty {
            self.records = self.records.filter { pending.contains($0.key) }
            self.countSuspects()
        }
        self.connectedAt = now
        self.isIsolating = self.suspects > 0
        guard self.isIsolating else { return false }
        self.isolationEnd = now + Self.patience
        let accused = self.records.filter { $1.wasAlone && $1.connections >= Self.accusing }
            .max { $0.value.connections < $1.value.connections }
        guard let (item, record) = accused else { return false }
        let length = min(max(Self.shortestTrial, record.shortest * 2), Self.patience)
        let trial = Trial(accused: item, end: now + length)
        self.trial = trial
        self.isolationEnd = trial.end + Self.patience
        return true
    }

    /// Whether an item may be sent now. If not, ask again when another item was answered or the trial has ended.
    func maySend(_ item: Item) -> Bool {
        guard self.isIsolating else { return true }
        guard self.isSuspect(item) else { return self.unanswered.suspects == 0 }
        return self.trial == nil && self.unanswered.all < self.window.size
    }

    /// Whether no item may be sent.
    var isFull: Bool {
        self.isIsolating && self.unanswered.suspects > 0 && self.unanswered.all >= self.window.size
    }

    /// An item was sent while ``isIsolating``.
    mutating func sent(_ item: Item) {
        guard self.isIsolating else { return }
        self.unanswered.all += 1
        if self.isSuspect(item) { self.unanswered.suspects += 1 }
    }

    private func isSuspect(_ item: Item) -> Bool { (self.records[item]?.connections ?? 0) >= Self.shared }

    /// The server answered an item.
    mutating func answered(_ item: Item) {
        let wasSuspect = self.isSuspect(item)
        self.records[item] = nil
        if wasSuspect { self.suspects -= 1 }
        guard self.isIsolating else { return }
        self.unanswered.all = max(0, self.unanswered.all - 1)
        if wasSuspect {
            self.unanswered.suspects = max(0, self.unanswered.suspects - 1)
            self.window.answered += 1
            if self.window.answered >= self.window.size { self.window = (self.window.size * 2, 0) }
        }
        self.endIsolation()
    }

    /// The server ended the connection without a reason, or by breaking the protocol.
    mutating func connectionBroken(unanswered items: [Item], now: Timestamp) {
        defer { self.connectionLost() }
        guard let connectedAt else { return }
        // The connection ended without the accused packet.
        if let trial { self.records[trial.accused] = Record(connections: Self.shared) }
        if self.records.count > Self.maximumCount { self.records = [:] }
        let life = now - connectedAt
        for item in items {
            var record = self.records[item] ?? Record()
            if life <= Self.patience {
                record.connections += 1
                record.shortest = min(record.shortest, life)
                if items.count == 1 { record.wasAlone = true }
            } else {
                record.connections = max(1, record.connections)
            }
            self.records[item] = record
        }
        self.countSuspects()
    }

    private mutating func countSuspects() {
        self.suspects = self.records.values.count { $0.connections >= Self.shared }
    }

    /// The connection ended for a reason unrelated to the packets sent.
    mutating func connectionLost() {
        self.connectedAt = nil
        self.trial = nil
        self.isIsolating = false
        self.unanswered = (0, 0)
        self.window = (1, 0)
    }

    /// When to call ``deadlineReached(now:)``; `nil` if nothing is held back.
    var deadline: Timestamp? {
        if let trial, !trial.isOver { return trial.end }
        return self.isIsolating ? self.isolationEnd : nil
    }

    /// A trial, or the isolation of suspects, has lasted long enough.
    mutating func deadlineReached(now: Timestamp) -> Verdict? {
        if let trial, !trial.isOver, now >= trial.end {
            self.trial?.isOver = true
            return self.verdict()
        }
        if self.isIsolating, now >= self.isolationEnd {
            self.trial = nil
            self.isIsolating = false
        }
        return nil
    }

    /// The server answered a PINGREQ.
    mutating func ponged() -> Verdict? {
        guard self.trial != nil else { return nil }
        self.trial?.hasAnswered = true
        return self.verdict()
    }

    private mutating func verdict() -> Verdict? {
        guard let trial, trial.isOver, trial.hasAnswered else { return nil }
        self.trial = nil
        self.window = (1, 0)
        defer { self.endIsolation() }
        guard let record = self.records.removeValue(forKey: trial.accused) else { return nil }
        self.suspects -= 1
        return Verdict(item: trial.accused, connections: record.connections)
    }

    private mutating func endIsolation() {
        guard self.trial == nil, self.suspects == 0 || self.window.size > Int(UInt16.max) else { return }
        self.isIsolating = false
        self.unanswered = (0, 0)
    }
}

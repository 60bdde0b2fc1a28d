/// What the server knows of one topic filter, and the exchange about it that is under way.
///
/// One method for each event; ``SubscriptionTable`` says what is to be said to the server, and when.
struct FilterStanding {
    /// What the server knows, save what an exchange under way will change.
    enum Knowledge {
        /// Nothing.
        case unknown
        case granted
        /// The filter or not: it is being told to forget it, or the connection was lost while it was told something.
        case uncertain
    }

    /// What is under way, with those who wait for its end.
    enum Exchange: Equatable {
        /// A SUBSCRIBE; when the server refuses it, it knows what it knew before.
        case subscribe([SubscriptionTable.Waiter])
        /// An UNSUBSCRIBE.
        case unsubscribe([RequestID])
    }

    private(set) var knowledge = Knowledge.unknown
    private(set) var underWay: Exchange?
    /// What the SUBSCRIBE under way, or the last one, asked for.
    private var asked: SubscriptionOptions?
    /// What the server has granted last, which holds when it refuses another.
    private var lastGranted: SubscriptionOptions?
    /// Since when the server has known the filter without a break: a higher number is later.
    private(set) var grantNumber: UInt64 = 0
    /// Filters that match a topic of which the server has sent a copy for this one since it granted it.
    var copiedBeside: Set<UInt32> = []
    /// For whom the last SUBSCRIBE under the filter's own identifier was.
    private(set) var askedFor: [SubscriberID] = []
    /// The identifiers of SUBSCRIBEs that repeated it, the last one last.
    private(set) var repetitions: [UInt32] = []

    /// How many repetitions are remembered. What comes for an older one goes to all.
    private static let maximumRepetitions = 8

    /// Whether the server knows nothing, and is being told nothing.
    var isUnknown: Bool { self.knowledge == .unknown && self.underWay == nil }

    /// What the server has granted, if it surely knows the filter.
    var granted: SubscriptionOptions? { self.knowledge == .granted ? self.lastGranted : nil }

    /// The server may know the filter from an earlier run of the program.
    mutating func assumed() {
        if self.knowledge == .unknown { self.knowledge = .uncertain }
    }

    /// The next SUBSCRIBE bears the filter's own identifier.
    mutating func asks(for subscribers: [SubscriberID]) { self.askedFor = subscribers }

    /// The next SUBSCRIBE repeats the filter under another identifier. Returns one that is forgotten for it.
    mutating func repeats(as identifier: UInt32) -> UInt32? {
        let isFull = self.repetitions.count == Self.maximumRepetitions
        let forgotten = isFull ? self.repetitions.removeFirst() : nil
        self.repetitions.append(identifier)
        return forgotten
    }

    /// A SUBSCRIBE is sent.
    mutating func subscribing(_ options: SubscriptionOptions, _ waiters: [SubscriptionTable.Waiter]) {
        self.asked = options
        self.underWay = .subscribe(waiters)
    }

    /// An UNSUBSCRIBE is sent.
    mutating func unsubscribing(_ requests: [RequestID]) {
        self.knowledge = .uncertain
        self.underWay = .unsubscribe(requests)
    }

    /// Some of those who wait for the SUBSCRIBE do so no longer.
    mutating func replaceWaiters(by waiters: [SubscriptionTable.Waiter]) { self.underWay = .subscribe(waiters) }

    /// The server has granted what the SUBSCRIBE asked for.
    ///
    /// - Parameter number: Higher than that of all grants before.
    mutating func subscribed(number: UInt64) {
        self.underWay = nil
        self.lastGranted = self.asked
        guard self.knowledge != .granted else { return }
        self.knowledge = .granted
        self.grantNumber = number
        self.copiedBeside = []
    }

    /// The server has refused the SUBSCRIBE, or it could not be sent.
    mutating func refused() { self.underWay = nil }

    /// The UNSUBSCRIBE has ended.
    mutating func unsubscribed() {
        self.underWay = nil
        self.knowledge = .unknown
    }

    /// The connection is gone. Returns what was under way.
    mutating func connectionLost() -> Exchange? {
        guard let interrupted = self.underWay else { return nil }
        self.underWay = nil
        if self.knowledge != .granted { self.knowledge = .uncertain }
        return interrupted
    }

    /// The server has no session.
    mutating func sessionLost() {
        self.knowledge = .unknown
        self.underWay = nil
        self.repetitions = []
    }

    /// The server has a session that may not be the one in which it was told of the filter.
    mutating func sessionUncertain() {
        if self.knowledge == .granted { self.knowledge = .uncertain }
    }
}

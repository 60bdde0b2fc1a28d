/// What the server knows of one topic filter, and the exchange about it that is in progress.
///
/// One method for each event. ``SubscriptionTable`` decides what to send, and when.
struct FilterState {
    /// What the server knows, apart from what a pending exchange will change.
    enum Knowledge {
        /// Nothing.
        case unknown
        /// The server has granted the filter.
        case granted
        /// Whether the server has the filter is not known: UNSUBSCRIBE is pending, or the connection was lost while an
        /// exchange was.
        case uncertain
    }

    /// A pending exchange, with the requests that wait for its end.
    enum Exchange: Equatable {
        /// SUBSCRIBE. If the server refuses it, the server knows what it knew before.
        case subscribe([SubscriptionTable.Waiter])
        /// UNSUBSCRIBE.
        case unsubscribe([RequestID])
    }

    private(set) var knowledge = Knowledge.unknown
    private(set) var pending: Exchange?
    /// The options of the last SUBSCRIBE.
    private var requestedOptions: SubscriptionOptions?
    /// The options of the last SUBSCRIBE that the server granted. They remain in force if the server refuses another
    /// one.
    private var lastGranted: SubscriptionOptions?
    private var lastGrantNumber: UInt64 = 0
    /// The subscribers for which the last SUBSCRIBE with the filter's own subscription identifier was sent.
    private(set) var requesters: [SubscriberID] = []

    /// Whether the server knows nothing of the filter, and no exchange is pending.
    var isUnknown: Bool { self.knowledge == .unknown && self.pending == nil }

    /// The granted options, if the server certainly has the filter.
    var grantedOptions: SubscriptionOptions? { self.knowledge == .granted ? self.lastGranted : nil }

    /// Orders the filters by the time since which the server has had them without interruption; `nil` if it may not
    /// have this one.
    var grantNumber: UInt64? { self.knowledge == .granted ? self.lastGrantNumber : nil }

    /// The server may know the filter from an earlier run of the program.
    mutating func assumed() {
        if self.knowledge == .unknown { self.knowledge = .uncertain }
    }

    /// The next SUBSCRIBE has the filter's own subscription identifier.
    mutating func requested(by subscribers: [SubscriberID]) { self.requesters = subscribers }

    /// A SUBSCRIBE is sent.
    mutating func subscribing(_ options: SubscriptionOptions, _ waiters: [SubscriptionTable.Waiter]) {
        self.requestedOptions = options
        self.pending = .subscribe(waiters)
    }

    /// An UNSUBSCRIBE is sent.
    mutating func unsubscribing(_ requests: [RequestID]) {
        self.knowledge = .uncertain
        self.pending = .unsubscribe(requests)
    }

    /// Some of the requests that waited for the SUBSCRIBE have ended.
    mutating func replaceWaiters(by waiters: [SubscriptionTable.Waiter]) { self.pending = .subscribe(waiters) }

    /// The server has granted the SUBSCRIBE.
    ///
    /// - Parameter number: Higher than that of all earlier grants.
    mutating func subscribed(number: UInt64) {
        self.pending = nil
        self.lastGranted = self.requestedOptions
        guard self.knowledge != .granted else { return }
        self.knowledge = .granted
        self.lastGrantNumber = number
    }

    /// The server has refused the SUBSCRIBE, or it could not be sent.
    mutating func refused() { self.pending = nil }

    /// The UNSUBSCRIBE has ended.
    mutating func unsubscribed() {
        self.pending = nil
        self.knowledge = .unknown
    }

    /// The connection is lost. Returns the exchange that was pending.
    mutating func connectionLost() -> Exchange? {
        guard let interrupted = self.pending else { return nil }
        self.pending = nil
        if self.knowledge != .granted { self.knowledge = .uncertain }
        return interrupted
    }

    /// The server has no session.
    mutating func sessionLost() {
        self.knowledge = .unknown
        self.pending = nil
    }

    /// The server has a session that may not be the one with this filter.
    mutating func sessionUncertain() {
        if self.knowledge == .granted { self.knowledge = .uncertain }
    }
}

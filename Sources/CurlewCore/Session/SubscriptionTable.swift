import DequeModule

/// Which topic filters the local subscribers want, what the server was told of them, and who gets a message.
///
/// Each filter has one entry, shared by its subscribers. An entry knows what is wanted and what the server knows;
/// ``nextExchange()`` says what to send to bring the two together, one exchange an entry at a time. Requests that an
/// event ends are appended to the completions that are passed in.
struct SubscriptionTable {
    /// A request that ends with the SUBACK.
    struct Waiter: Equatable {
        let request: RequestID
        let subscriber: SubscriberID
        /// What it asked for.
        let options: SubscriptionOptions
    }

    struct Entry {
        let filter: TopicFilter
        /// What is wanted: the highest QoS that anybody asked for and was not refused.
        var options: SubscriptionOptions
        var subscribers: [SubscriberID] = []
        var standing = FilterStanding()
        /// Those who wait for the next SUBSCRIBE; each is a subscriber.
        var waiters: [Waiter] = []
        /// Those who wait for the next UNSUBSCRIBE; none while there are subscribers.
        var leaving: [RequestID] = []
        /// Whether something is to be said to the server.
        var isDirty = false
        /// What holds if the server refuses the SUBSCRIBE; `nil` if nothing does.
        var fallback: Fallback?

        /// What is wanted when the server has refused what was asked for: what it granted before, if it did, and what those
        /// want who wait for the next SUBSCRIBE.
        var wantedAfterRefusal: SubscriptionOptions {
            var wanted = self.standing.granted
            for waiter in self.waiters {
                let qos = max(waiter.options.qos, wanted?.qos ?? .atMostOnce)
                wanted = waiter.options
                if self.subscribers.contains(where: { $0 != waiter.subscriber }) { wanted?.qos = qos }
            }
            return wanted ?? self.options
        }
    }

    /// How a filter was local before somebody asked the server for it.
    struct Fallback {
        let options: SubscriptionOptions
        let isResumable: Bool
    }

    /// A SUBSCRIBE for the sake of those who came later.
    struct Repetition {
        /// The key of the entry.
        let identifier: UInt32
        let subscribers: [SubscriberID]
    }

    /// An unsubscribe request that waits for the end of several filters.
    private struct Departure {
        var left: Int
        var reasonCode = ReasonCode.success
        /// Why one of them was given up.
        var rejection: Rejection?
    }

    // MARK: Longer than connection and session: what is wanted

    /// The key is the subscription identifier.
    var entries: [UInt32: Entry] = [:]
    private var identifiers: [TopicFilter: UInt32] = [:]
    private var nextIdentifier: UInt32
    /// SUBSCRIBEs for filters that the server knew already. Each bears a subscription identifier of its own, which tells
    /// for whom the retained messages are that it leads to.
    var repetitions: [UInt32: Repetition] = [:]
    /// The identifiers of the filters that match; several may be the same but for the share name.
    private(set) var tree = TopicTree<[UInt32]>()
    /// The filters of each subscriber, in the order in which it asked for them.
    private(set) var filters: [SubscriberID: [UInt32]] = [:]
    /// Filters that are only listened to: the server is not told of them.
    private(set) var local: Set<UInt32> = []
    /// Those among them that the server knows if it has kept the session, and is told of if it has not.
    private var resumable: Set<UInt32> = []
    /// Who gets what matches nobody's filter.
    private(set) var remainder: SubscriberID?
    private var departures: [RequestID: Departure] = [:]
    /// The filters that nobody has wanted since the last call of ``takeGivenUp()``.
    private var givenUp: [GivenUpFilters.Filter] = []
    /// How many SUBSCRIBEs the server has granted.
    private var grants: UInt64 = 0
    /// Entries to say something about, in order. It may name entries that are gone, or that have nothing to say any
    /// more.
    private var dirty = Deque<UInt32>()

    // MARK: Until anything changes

    /// Who gets what.
    var routes: [RouteKey: [SubscriberID]] = [:]

    /// - Parameter firstIdentifier: The first subscription identifier. Where the server may have kept a session, a random one
    ///   hardly ever meets one of an earlier run.
    init(firstIdentifier: UInt32 = 1) { self.nextIdentifier = firstIdentifier }

    /// How many filters there are.
    var count: Int { self.entries.count }

    /// Places in the queue of what is to be said, with those of entries that are gone.
    var places: Int { self.dirty.count }

    /// Whether there may be something to say to the server.
    var isDirty: Bool { !self.dirty.isEmpty }

    // MARK: What is wanted

    /// A subscriber wants a filter; the request ends with the SUBACK.
    mutating func subscribe(
        _ filter: TopicFilter, _ options: SubscriptionOptions, subscriber: SubscriberID, request: RequestID,
        _ completions: inout [Completion]
    ) throws(Rejection) {
        let identifier = self.identifier(of: filter)
        var entry = self.entries[identifier] ?? Entry(filter: filter, options: options)
        let wanted = options
        var options = options
        if !self.local.contains(identifier), entry.subscribers.contains(where: { $0 != subscriber }) {
            options.qos = max(options.qos, entry.options.qos)
            var existing = entry.options
            existing.qos = options.qos
            guard existing == options else { throw .conflictingOptions }
        }
        if self.local.remove(identifier) != nil {
            let isResumable = self.resumable.remove(identifier) != nil
            if !entry.subscribers.isEmpty {
                entry.fallback = Fallback(options: entry.options, isResumable: isResumable)
            }
        }
        entry.options = options
        entry.waiters.append(
            Waiter(request: request, subscriber: subscriber, options: wanted))
        self.join(identifier, &entry, subscriber, &completions)
        self.markDirty(identifier, &entry)
        self.entries[identifier] = entry
    }

    /// A subscriber wants what comes for a filter that the server sends the messages of without being asked.
    mutating func listen(to filter: TopicFilter, subscriber: SubscriberID, _ completions: inout [Completion]) {
        let identifier = self.identifier(of: filter)
        var entry = self.entries[identifier] ?? Entry(filter: filter, options: SubscriptionOptions())
        if entry.subscribers.isEmpty, entry.standing.knowledge != .granted { self.local.insert(identifier) }
        self.join(identifier, &entry, subscriber, &completions)
        self.entries[identifier] = entry
    }

    /// A subscriber wants a filter that the server may know from an earlier run of the program. Nobody waits for an answer.
    ///
    /// - Parameter session: What the server has of the session; `nil` before the first connection, which tells.
    mutating func resume(
        _ filter: TopicFilter, _ options: SubscriptionOptions, subscriber: SubscriberID,
        session: IncomingQoS.Session?, _ completions: inout [Completion]
    ) {
        let identifier = self.identifier(of: filter)
        var entry = self.entries[identifier] ?? Entry(filter: filter, options: options)
        let isOnlyListenedTo = self.local.contains(identifier) && !self.resumable.contains(identifier)
        if entry.subscribers.isEmpty || isOnlyListenedTo, entry.standing.knowledge != .granted {
            entry.options = options
            // What the server is being told to forget, it must be asked for.
            switch entry.standing.isUnknown ? session : .absent {
            case nil, .present:
                self.local.insert(identifier)
                self.resumable.insert(identifier)
                if session != nil { entry.standing.assumed() }
            case .absent, .uncertain:
                self.local.remove(identifier)
                self.resumable.remove(identifier)
                self.markDirty(identifier, &entry)
            }
        }
        self.join(identifier, &entry, subscriber, &completions)
        self.entries[identifier] = entry
    }

    /// A subscriber wants whatever comes that nobody else wants.
    mutating func takeRemainder(_ subscriber: SubscriberID) {
        self.remainder = subscriber
        self.forgetRoutes()
    }

    /// The server is to forget a filter that it may know from an earlier run of the program, unless somebody wants it.
    mutating func giveUp(_ filter: TopicFilter, request: RequestID, _ completions: inout [Completion]) {
        let identifier = self.identifier(of: filter)
        var entry = self.entries[identifier] ?? Entry(filter: filter, options: SubscriptionOptions())
        guard entry.subscribers.isEmpty else {
            completions.append(Completion(request: request, outcome: .unsubscribed(.success)))
            return
        }
        entry.standing.assumed()
        self.leave(identifier, &entry, request, isOfEarlierRun: true)
        self.departures[request] = Departure(left: 1)
        self.entries[identifier] = entry
    }

    /// Nobody wants the filter any more, and the server is to be told.
    private mutating func leave(
        _ identifier: UInt32, _ entry: inout Entry, _ request: RequestID, isOfEarlierRun: Bool = false
    ) {
        entry.leaving.append(request)
        self.markDirty(identifier, &entry)
        self.givenUp.append(.init(filter: entry.filter, identifier: isOfEarlierRun ? nil : identifier))
    }

    /// The filters that the server is to forget and that nobody has wanted since the last call.
    mutating func takeGivenUp() -> [GivenUpFilters.Filter] { exchange(&self.givenUp, with: []) }

    private mutating func join(
        _ identifier: UInt32, _ entry: inout Entry, _ subscriber: SubscriberID, _ completions: inout [Completion]
    ) {
        if !entry.subscribers.contains(subscriber) {
            entry.subscribers.append(subscriber)
            self.filters[subscriber, default: []].append(identifier)
        }
        // The filter is wanted again before the server was told that it is not.
        for request in entry.leaving { self.confirm(request, .success, &completions) }
        entry.leaving = []
        self.forgetRoutes()
    }

    /// A subscriber wants nothing more. Its requests that still wait end unsubscribed. `request` ends when the server
    /// has confirmed each filter that was nobody else's.
    mutating func unsubscribe(_ subscriber: SubscriberID, request: RequestID, _ completions: inout [Completion]) {
        var confirmations = 0
        for identifier in self.filters.removeValue(forKey: subscriber) ?? [] {
            guard var entry = self.entries[identifier] else { continue }
            entry.subscribers.removeAll { $0 == subscriber }
            Self.giveUp(subscriber, &entry.waiters, &completions)
            if case .subscribe(var waiters)? = entry.standing.underWay {
                Self.giveUp(subscriber, &waiters, &completions)
                entry.standing.replaceWaiters(by: waiters)
            }
            guard entry.subscribers.isEmpty else {
                self.entries[identifier] = entry
                continue
            }
            if entry.standing.isUnknown {
                self.remove(identifier, entry)
                continue
            }
            self.leave(identifier, &entry, request)
            confirmations += 1
            self.entries[identifier] = entry
        }
        if self.remainder == subscriber { self.remainder = nil }
        if confirmations == 0 {
            completions.append(Completion(request: request, outcome: .unsubscribed(.success)))
        } else {
            self.departures[request] = Departure(left: confirmations)
        }
        self.forgetRoutes()
    }

    private static func giveUp(
        _ subscriber: SubscriberID, _ waiters: inout [Waiter], _ completions: inout [Completion]
    ) {
        for waiter in waiters where waiter.subscriber == subscriber {
            completions.append(Completion(request: waiter.request, outcome: .unsubscribed(.success)))
        }
        waiters.removeAll { $0.subscriber == subscriber }
    }

    /// One of the filters that an unsubscribe request waits for is done with.
    private mutating func confirm(
        _ request: RequestID, _ code: ReasonCode, _ completions: inout [Completion], _ rejection: Rejection? = nil
    ) {
        guard var departure = self.departures[request] else { return }
        departure.left -= 1
        if !departure.reasonCode.isFailure { departure.reasonCode = code }
        departure.rejection = departure.rejection ?? rejection
        self.departures[request] = departure.left > 0 ? departure : nil
        if departure.left == 0 {
            let outcome: Completion.Outcome =
                departure.rejection.map { .abandoned($0) } ?? .unsubscribed(departure.reasonCode)
            completions.append(Completion(request: request, outcome: outcome))
        }
    }

    private mutating func identifier(of filter: TopicFilter) -> UInt32 {
        if let identifier = self.identifiers[filter] { return identifier }
        let identifier = self.makeIdentifier()
        self.identifiers[filter] = identifier
        self.tree.withValue(for: filter, default: []) { $0.append(identifier) }
        return identifier
    }

    private mutating func makeIdentifier() -> UInt32 {
        var identifier = self.nextIdentifier
        // A subscription identifier is at most 268,435,455 (section 3.8.2.1.2).
        while self.entries[identifier] != nil || self.repetitions[identifier] != nil {
            identifier = identifier % 268_435_455 + 1
        }
        self.nextIdentifier = identifier % 268_435_455 + 1
        return identifier
    }

    private mutating func remove(_ identifier: UInt32, _ entry: Entry) {
        self.entries[identifier] = nil
        for repetition in entry.standing.repetitions { self.repetitions[repetition] = nil }
        self.identifiers[entry.filter] = nil
        self.local.remove(identifier)
        self.resumable.remove(identifier)
        self.tree.withValue(for: entry.filter, default: []) { $0.removeAll { $0 == identifier } }
        if self.tree[entry.filter]?.isEmpty == true { self.tree.remove(entry.filter) }
        self.forgetRoutes()
    }

    private mutating func markDirty(_ identifier: UInt32, _ entry: inout Entry) {
        guard !entry.isDirty else { return }
        entry.isDirty = true
        // An entry that is under way has its turn again when the answer comes.
        if entry.standing.underWay == nil { self.enqueue(identifier) }
    }

    private mutating func enqueue(_ identifier: UInt32) {
        // Without a connection nothing is taken out: what is gone must not pile up.
        if self.dirty.count > 2 * self.entries.count + 64 {
            let entries = self.entries
            self.dirty.removeAll { entries[$0]?.isDirty != true }
        }
        self.dirty.append(identifier)
    }

    // MARK: What the server is told

    /// What to send next about the entry of that key.
    enum Exchange: Equatable {
        /// SUBSCRIBE, with the subscription identifier `bearing`.
        case subscribe(UInt32, bearing: UInt32, TopicFilter, SubscriptionOptions)
        case unsubscribe(UInt32, TopicFilter)
    }

    /// What to say to the server next about one entry, or `nil` when all is said. The caller reports the answer with
    /// ``subscribed(_:_:_:_:)`` or ``unsubscribed(_:_:_:)``.
    ///
    /// - Parameter poison: Says what is to wait.
    mutating func nextExchange(heldBackBy poison: PoisonDetector = PoisonDetector()) -> Exchange? {
        guard !poison.isFull else { return nil }
        var held: [UInt32] = []
        defer { for identifier in held.reversed() { self.dirty.prepend(identifier) } }
        while let identifier = self.dirty.popFirst() {
            guard var entry = self.entries[identifier], entry.isDirty, entry.standing.underWay == nil else {
                continue
            }
            if poison.isIsolating,
                !poison.maySend(entry.subscribers.isEmpty ? .unsubscribe(identifier) : .subscribe(identifier))
            {
                held.append(identifier)
                continue
            }
            entry.isDirty = false
            defer { self.entries[identifier] = entry }
            if self.local.contains(identifier), !entry.subscribers.isEmpty { continue }
            if entry.subscribers.isEmpty {
                entry.standing.unsubscribing(entry.leaving)
                entry.leaving = []
                return .unsubscribe(identifier, entry.filter)
            }
            let bearing = self.identifyNext(identifier, &entry)
            entry.standing.subscribing(entry.options, entry.waiters)
            entry.waiters = []
            return .subscribe(identifier, bearing: bearing, entry.filter, entry.options)
        }
        return nil
    }

    /// The subscription identifier that the next SUBSCRIBE bears: the filter's own when it is for all, one more when it is
    /// for those alone who came later.
    private mutating func identifyNext(_ identifier: UInt32, _ entry: inout Entry) -> UInt32 {
        guard entry.standing.knowledge == .granted else {
            entry.standing.asks(for: entry.subscribers)
            return identifier
        }
        let repetition = self.makeIdentifier()
        if let forgotten = entry.standing.repeats(as: repetition) { self.repetitions[forgotten] = nil }
        self.repetitions[repetition] = Repetition(
            identifier: identifier, subscribers: entry.waiters.map(\.subscriber))
        self.forgetRoutes()
        return repetition
    }

    /// A SUBSCRIBE has ended: the server answered, or its limits forbade to send it. Subscribers who had the filter
    /// before and have lost it now, because the server has lost the session and refuses, are appended to `lost`.
    mutating func subscribed(
        _ identifier: UInt32, _ outcome: Completion.Outcome, _ completions: inout [Completion],
        _ lost: inout [LostSubscription]
    ) {
        guard var entry = self.entries[identifier], case .subscribe(let waiters)? = entry.standing.underWay else {
            return
        }
        for waiter in waiters { completions.append(Completion(request: waiter.request, outcome: outcome)) }
        self.forgetRoutes()
        if case .subscribed(let code, _) = outcome, !code.isFailure {
            self.grants += 1
            entry.fallback = nil
            entry.standing.subscribed(number: self.grants)
            self.settle(identifier, entry, &completions)
            return
        }
        entry.standing.refused()
        entry.options = entry.wantedAfterRefusal
        let knowledge = entry.standing.knowledge
        // Whoever went on to wait for a later SUBSCRIBE of the entry has its own answer to come.
        let pending = Set(entry.waiters.map(\.subscriber))
        let refused = Set(waiters.map(\.subscriber))
        let concernsAll = knowledge != .granted && entry.fallback == nil
        let gone = entry.subscribers.filter { subscriber in
            !pending.contains(subscriber) && (concernsAll || refused.contains(subscriber))
        }
        for subscriber in gone {
            self.filters[subscriber]?.removeAll { $0 == identifier }
            if self.filters[subscriber]?.isEmpty == true { self.filters[subscriber] = nil }
        }
        entry.subscribers.removeAll { gone.contains($0) }
        let bereft = gone.filter { !refused.contains($0) }
        if !bereft.isEmpty { lost.append(LostSubscription(subscribers: bereft, outcome: outcome)) }
        if entry.subscribers.isEmpty {
            if knowledge != .unknown { entry.isDirty = true }
        } else if pending.isEmpty, let fallback = entry.fallback {
            self.fallBack(identifier, &entry, fallback)
        }
        self.settle(identifier, entry, &completions)
    }

    /// The filter is local again, for those who wanted no more.
    private mutating func fallBack(_ identifier: UInt32, _ entry: inout Entry, _ fallback: Fallback) {
        entry.options = fallback.options
        entry.fallback = nil
        entry.isDirty = false
        self.local.insert(identifier)
        if fallback.isResumable { self.resumable.insert(identifier) }
    }

    /// An UNSUBSCRIBE has ended with this reason code.
    mutating func unsubscribed(_ identifier: UInt32, _ code: ReasonCode, _ completions: inout [Completion]) {
        guard var entry = self.entries[identifier], case .unsubscribe(let waiters)? = entry.standing.underWay else {
            return
        }
        for request in waiters { self.confirm(request, code, &completions) }
        entry.standing.unsubscribed()
        self.settle(identifier, entry, &completions)
    }

    /// The filter that the server is to be asked for next, or to be told to forget; `nil` if not, or if it is being told something.
    func filter(_ identifier: UInt32, toSubscribe isWanted: Bool) -> TopicFilter? {
        guard let entry = self.entries[identifier], entry.standing.underWay == nil else { return nil }
        return entry.subscribers.isEmpty == isWanted ? nil : entry.filter
    }

    /// The SUBSCRIBE that is to be sent next about a filter is not sent any more. As ``subscribed(_:_:_:_:)`` for a refusal.
    mutating func giveUpSubscribing(
        _ identifier: UInt32, _ rejection: Rejection, _ completions: inout [Completion],
        _ lost: inout [LostSubscription]
    ) {
        guard var entry = self.entries[identifier], entry.standing.underWay == nil else { return }
        entry.isDirty = false
        entry.standing.subscribing(entry.options, entry.waiters)
        entry.waiters = []
        self.entries[identifier] = entry
        self.subscribed(identifier, .abandoned(rejection), &completions, &lost)
    }

    /// The UNSUBSCRIBE that is to be sent next about a filter is not sent any more.
    mutating func giveUpUnsubscribing(
        _ identifier: UInt32, _ rejection: Rejection, _ completions: inout [Completion]
    ) {
        guard var entry = self.entries[identifier], entry.standing.underWay == nil else { return }
        entry.isDirty = false
        for request in exchange(&entry.leaving, with: []) {
            self.confirm(request, .success, &completions, rejection)
        }
        entry.standing.unsubscribing([])
        self.entries[identifier] = entry
        self.unsubscribed(identifier, .success, &completions)
    }

    /// After an answer: forgets an entry that nobody wants, goes on with one about which more is to be said.
    private mutating func settle(_ identifier: UInt32, _ entry: Entry, _ completions: inout [Completion]) {
        if entry.subscribers.isEmpty, entry.standing.isUnknown {
            for request in entry.leaving { self.confirm(request, .success, &completions) }
            self.remove(identifier, entry)
            return
        }
        self.entries[identifier] = entry
        if entry.isDirty { self.enqueue(identifier) }
    }

    // MARK: Connection and session

    /// The connection is gone: the exchanges of these entries were under way, and begin again on the next one.
    mutating func connectionLost(underWay: [UInt32], _ completions: inout [Completion]) {
        for identifier in underWay.reversed() {
            guard var entry = self.entries[identifier] else { continue }
            switch entry.standing.connectionLost() {
            case .subscribe(let waiters)?:
                entry.waiters = waiters + entry.waiters
            case .unsubscribe(let waiters)?:
                if entry.subscribers.isEmpty {
                    entry.leaving = waiters + entry.leaving
                } else {
                    for request in waiters { self.confirm(request, .success, &completions) }
                }
            case nil: continue
            }
            entry.isDirty = true
            self.entries[identifier] = entry
            self.dirty.prepend(identifier)
        }
        self.forgetRoutes()
    }

    /// The server has kept the session: it knows the filters of an earlier run.
    mutating func sessionResumed() {
        for identifier in self.resumable { self.entries[identifier]?.standing.assumed() }
    }

    /// The server has no session: it knows none of the filters, and is told of all that are wanted.
    mutating func sessionLost(_ completions: inout [Completion]) {
        self.dirty.removeAll()
        self.stopResuming()
        for identifier in self.entries.keys.sorted() {
            guard var entry = self.entries[identifier] else { continue }
            entry.isDirty = false
            for repetition in entry.standing.repetitions { self.repetitions[repetition] = nil }
            entry.standing.sessionLost()
            if entry.subscribers.isEmpty {
                for request in entry.leaving { self.confirm(request, .success, &completions) }
                self.remove(identifier, entry)
                continue
            }
            if entry.fallback?.isResumable == true { entry.fallback = nil }
            if !self.local.contains(identifier) { self.markDirty(identifier, &entry) }
            self.entries[identifier] = entry
        }
        self.forgetRoutes()
    }

    /// The server has a session that may not be the one in which it was told of the filters: it is told of all again.
    mutating func sessionUncertain() {
        self.dirty.removeAll()
        self.stopResuming()
        for identifier in self.entries.keys.sorted() {
            guard var entry = self.entries[identifier], !self.local.contains(identifier) else { continue }
            entry.standing.sessionUncertain()
            if entry.fallback?.isResumable == true { entry.fallback = nil }
            entry.isDirty = false
            self.markDirty(identifier, &entry)
            self.entries[identifier] = entry
        }
        self.forgetRoutes()
    }

    /// What the server was to know by itself, it is asked for from now on.
    private mutating func stopResuming() {
        self.local.subtract(self.resumable)
        self.resumable.removeAll()
    }

    /// Nobody wants anything any more, and all requests that wait end. The server may keep filters with their
    /// identifiers, which are therefore not given out again.
    mutating func end(_ completions: inout [Completion]) {
        func end(_ request: RequestID, _ mayHaveBeenSent: Bool) {
            completions.append(
                Completion(request: request, outcome: .sessionEnded(mayHaveBeenSent: mayHaveBeenSent)))
        }
        for identifier in self.entries.keys.sorted() {
            guard let entry = self.entries[identifier] else { continue }
            if case .subscribe(let waiters)? = entry.standing.underWay {
                for waiter in waiters { end(waiter.request, true) }
            }
            let mayHaveBeenSent = entry.standing.knowledge == .uncertain && entry.standing.underWay == nil
            for waiter in entry.waiters { end(waiter.request, mayHaveBeenSent) }
        }
        for request in self.departures.keys.sorted() { end(request, true) }
        self = SubscriptionTable(firstIdentifier: self.nextIdentifier)
    }
}

import DequeModule

/// Which topic filters the local subscribers have requested, and what the server has been told of them. Its
/// ``SubscriptionRouter`` decides who gets a message.
///
/// Each filter has one entry, shared by its subscribers. An entry holds what is requested and what the server knows;
/// ``nextUpdate(heldBackBy:)`` returns the next packet that brings the two together, one pending update per entry.
/// Requests that an event ends are appended to the completions that are passed in.
struct SubscriptionTable {
    /// A subscribe request, which ends with the SUBACK.
    struct Waiter: Equatable {
        let request: RequestID
        let subscriber: SubscriberID
        let options: SubscriptionOptions
    }

    struct Entry {
        let filter: TopicFilter
        /// The options to request: with the highest QoS that a subscriber requested and was not refused.
        var options: SubscriptionOptions
        var subscribers: [SubscriberID] = []
        var state = FilterState()
        /// Requests that wait for the next SUBSCRIBE; each belongs to a subscriber.
        var waiters: [Waiter] = []
        /// Requests that wait for the next UNSUBSCRIBE; none while there are subscribers.
        var unsubscribing: [RequestID] = []
        /// Whether a SUBSCRIBE or UNSUBSCRIBE is to be sent.
        var needsUpdate = false
        /// What remains if the server refuses the SUBSCRIBE; `nil` if nothing does.
        var fallback: Fallback?

        /// The options to request after the server has refused others: those that it granted before, if it did,
        /// combined with those of the requests that wait for the next SUBSCRIBE.
        var optionsAfterRefusal: SubscriptionOptions {
            var wanted = self.state.grantedOptions
            for waiter in self.waiters {
                let qos = max(waiter.options.qos, wanted?.qos ?? .atMostOnce)
                wanted = waiter.options
                if self.subscribers.contains(where: { $0 != waiter.subscriber }) { wanted?.qos = qos }
            }
            return wanted ?? self.options
        }
    }

    /// How a filter was local before a subscriber requested it from the server.
    struct Fallback {
        let options: SubscriptionOptions
        let isResumable: Bool
    }

    /// An unsubscribe request that waits until the server has confirmed several filters.
    struct Unsubscription {
        var left: Int
        var reasonCode = ReasonCode.success
        /// Why an UNSUBSCRIBE was given up.
        var rejection: Rejection?
    }

    // MARK: Longer than connection and session

    /// The key is the subscription identifier. Changed only by `store` and `remove`, which keep the router informed.
    var entries: [UInt32: Entry] = [:]
    var router = SubscriptionRouter()
    private var identifiers: [TopicFilter: UInt32] = [:]
    var nextIdentifier: UInt32
    /// Filters without a SUBSCRIBE: the server sends messages for them on its own, or because of an earlier run of the
    /// program.
    var local: Set<UInt32> = [] {
        // A subscription identifier may be one of the earlier run.
        didSet { self.router.trustIdentifiers(self.local.isEmpty) }
    }
    /// The local filters that the server has if it has kept the session. If it has not, they are requested.
    var resumable: Set<UInt32> = []
    var unsubscriptions: [RequestID: Unsubscription] = [:]
    /// The filters that have lost their last subscriber since the last call of ``takeGivenUp()``.
    private var givenUp: [GivenUpFilters.Filter] = []
    /// The number of SUBSCRIBEs that the server has granted.
    var grants: UInt64 = 0
    /// Entries that need an update, in order. Some may be gone, or need none any more.
    var updates = Deque<UInt32>()

    /// - Parameter firstIdentifier: The first subscription identifier. If the server may have kept a session, a random
    ///   one is unlikely to collide with one of an earlier run.
    init(firstIdentifier: UInt32 = 1) { self.nextIdentifier = firstIdentifier }

    /// The number of filters.
    var count: Int { self.entries.count }

    /// The length of the queue of updates, including those of entries that are gone.
    var queuedUpdates: Int { self.updates.count }

    /// Whether ``nextUpdate(heldBackBy:)`` may return something.
    var needsUpdate: Bool { !self.updates.isEmpty }

    // MARK: Routing

    /// The subscribers of a message; see ``SubscriptionRouter/subscribers(for:_:retain:)``.
    mutating func route(_ topic: TopicName, _ identifiers: [UInt32], retain: Bool) -> [SubscriberID] {
        self.router.subscribers(for: topic, identifiers, retain: retain)
    }

    /// A subscriber gets all messages that match no filter.
    mutating func takeRemainder(_ subscriber: SubscriberID) { self.router.takeRemainder(subscriber) }

    // MARK: Requests

    /// A subscriber requests a filter from the server. The request ends with the SUBACK.
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
        self.join(&entry, subscriber, &completions)
        self.markForUpdate(identifier, &entry)
        self.store(identifier, entry)
    }

    /// A subscriber wants the messages of a filter that the server sends on its own.
    mutating func listen(to filter: TopicFilter, subscriber: SubscriberID, _ completions: inout [Completion]) {
        let identifier = self.identifier(of: filter)
        var entry = self.entries[identifier] ?? Entry(filter: filter, options: SubscriptionOptions())
        if entry.subscribers.isEmpty, entry.state.knowledge != .granted { self.local.insert(identifier) }
        self.join(&entry, subscriber, &completions)
        self.store(identifier, entry)
    }

    /// A subscriber wants a filter that the server may have from an earlier run of the program. No request waits for
    /// an answer.
    ///
    /// - Parameter session: What the server has of the session; `nil` before the first connection.
    mutating func resume(
        _ filter: TopicFilter, _ options: SubscriptionOptions, subscriber: SubscriberID,
        session: IncomingQoS.Session?, _ completions: inout [Completion]
    ) {
        let identifier = self.identifier(of: filter)
        var entry = self.entries[identifier] ?? Entry(filter: filter, options: options)
        let isOnlyListenedTo = self.local.contains(identifier) && !self.resumable.contains(identifier)
        if entry.subscribers.isEmpty || isOnlyListenedTo, entry.state.knowledge != .granted {
            entry.options = options
            // If an UNSUBSCRIBE is pending, the filter must be requested again.
            switch entry.state.isUnknown ? session : .absent {
            case nil, .present:
                self.local.insert(identifier)
                self.resumable.insert(identifier)
                if session != nil { entry.state.assumed() }
            case .absent, .uncertain:
                self.local.remove(identifier)
                self.resumable.remove(identifier)
                self.markForUpdate(identifier, &entry)
            }
        }
        self.join(&entry, subscriber, &completions)
        self.store(identifier, entry)
    }

    /// Unsubscribes from a filter that the server may have from an earlier run of the program, unless it has a
    /// subscriber.
    mutating func giveUp(_ filter: TopicFilter, request: RequestID, _ completions: inout [Completion]) {
        let identifier = self.identifier(of: filter)
        var entry = self.entries[identifier] ?? Entry(filter: filter, options: SubscriptionOptions())
        guard entry.subscribers.isEmpty else {
            completions.append(Completion(request: request, outcome: .unsubscribed(.success)))
            return
        }
        entry.state.assumed()
        self.leave(identifier, &entry, request, isOfEarlierRun: true)
        self.unsubscriptions[request] = Unsubscription(left: 1)
        self.store(identifier, entry)
    }

    /// The filter has no subscriber any more: UNSUBSCRIBE is to be sent.
    private mutating func leave(
        _ identifier: UInt32, _ entry: inout Entry, _ request: RequestID, isOfEarlierRun: Bool = false
    ) {
        entry.unsubscribing.append(request)
        self.markForUpdate(identifier, &entry)
        self.givenUp.append(.init(filter: entry.filter, identifier: isOfEarlierRun ? nil : identifier))
    }

    /// The filters that have lost their last subscriber since the last call.
    mutating func takeGivenUp() -> [GivenUpFilters.Filter] { exchange(&self.givenUp, with: []) }

    private mutating func join(
        _ entry: inout Entry, _ subscriber: SubscriberID, _ completions: inout [Completion]
    ) {
        if !entry.subscribers.contains(subscriber) {
            entry.subscribers.append(subscriber)
        }
        // The filter has a subscriber again before UNSUBSCRIBE was sent.
        for request in entry.unsubscribing { self.confirm(request, .success, &completions) }
        entry.unsubscribing = []
    }

    /// A subscriber ends. Its requests that still wait end as unsubscribed. `request` ends when the server
    /// has confirmed each filter that no other subscriber has.
    mutating func unsubscribe(_ subscriber: SubscriberID, request: RequestID, _ completions: inout [Completion]) {
        var confirmations = 0
        for identifier in self.router.filters(of: subscriber) {
            guard var entry = self.entries[identifier] else { continue }
            entry.subscribers.removeAll { $0 == subscriber }
            Self.endWaiters(of: subscriber, &entry.waiters, &completions)
            if case .subscribe(var waiters)? = entry.state.pending {
                Self.endWaiters(of: subscriber, &waiters, &completions)
                entry.state.replaceWaiters(by: waiters)
            }
            guard entry.subscribers.isEmpty else {
                self.store(identifier, entry)
                continue
            }
            if entry.state.isUnknown {
                self.remove(identifier, entry)
                continue
            }
            self.leave(identifier, &entry, request)
            confirmations += 1
            self.store(identifier, entry)
        }
        self.router.ended(subscriber)
        if confirmations == 0 {
            completions.append(Completion(request: request, outcome: .unsubscribed(.success)))
        } else {
            self.unsubscriptions[request] = Unsubscription(left: confirmations)
        }
    }

    private static func endWaiters(
        of subscriber: SubscriberID, _ waiters: inout [Waiter], _ completions: inout [Completion]
    ) {
        for waiter in waiters where waiter.subscriber == subscriber {
            completions.append(Completion(request: waiter.request, outcome: .unsubscribed(.success)))
        }
        waiters.removeAll { $0.subscriber == subscriber }
    }

    /// The server has confirmed one of the filters that an unsubscribe request waits for.
    mutating func confirm(
        _ request: RequestID, _ code: ReasonCode, _ completions: inout [Completion], _ rejection: Rejection? = nil
    ) {
        guard var unsubscription = self.unsubscriptions[request] else { return }
        unsubscription.left -= 1
        if !unsubscription.reasonCode.isFailure { unsubscription.reasonCode = code }
        unsubscription.rejection = unsubscription.rejection ?? rejection
        self.unsubscriptions[request] = unsubscription.left > 0 ? unsubscription : nil
        if unsubscription.left == 0 {
            let outcome: Completion.Outcome =
                unsubscription.rejection.map { .abandoned($0) } ?? .unsubscribed(unsubscription.reasonCode)
            completions.append(Completion(request: request, outcome: outcome))
        }
    }

    private mutating func identifier(of filter: TopicFilter) -> UInt32 {
        if let identifier = self.identifiers[filter] { return identifier }
        let identifier = self.makeIdentifier()
        self.identifiers[filter] = identifier
        return identifier
    }

    mutating func makeIdentifier() -> UInt32 {
        var identifier = self.nextIdentifier
        // A subscription identifier is at most 268,435,455 (section 3.8.2.1.2).
        while self.entries[identifier] != nil || self.router.hasRepetition(identifier) {
            identifier = identifier % 268_435_455 + 1
        }
        self.nextIdentifier = identifier % 268_435_455 + 1
        return identifier
    }

    mutating func store(_ identifier: UInt32, _ entry: Entry) {
        self.entries[identifier] = entry
        self.router.update(
            identifier,
            SubscriptionRouter.Filter(
                filter: entry.filter, options: entry.options, subscribers: entry.subscribers,
                grantNumber: entry.state.grantNumber, requesters: entry.state.requesters))
    }

    mutating func remove(_ identifier: UInt32, _ entry: Entry) {
        self.entries[identifier] = nil
        self.router.remove(identifier)
        self.identifiers[entry.filter] = nil
        self.local.remove(identifier)
        self.resumable.remove(identifier)
    }

    mutating func markForUpdate(_ identifier: UInt32, _ entry: inout Entry) {
        guard !entry.needsUpdate else { return }
        entry.needsUpdate = true
        // If an update is pending, its end puts the entry into the queue.
        if entry.state.pending == nil { self.enqueue(identifier) }
    }

    mutating func enqueue(_ identifier: UInt32) {
        // Without a connection nothing leaves the queue: entries that are gone must not accumulate.
        if self.updates.count > 2 * self.entries.count + 64 {
            let entries = self.entries
            self.updates.removeAll { entries[$0]?.needsUpdate != true }
        }
        self.updates.append(identifier)
    }
}

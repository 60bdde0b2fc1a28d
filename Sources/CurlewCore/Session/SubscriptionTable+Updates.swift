import DequeModule

// What the client and the server send about the filters: SUBSCRIBE, UNSUBSCRIBE and their answers, on one connection
// after another.
extension SubscriptionTable {
    // MARK: Updates of the server

    /// The packet to send next for the entry with this key.
    enum Update: Equatable {
        /// SUBSCRIBE. The subscription identifier in the packet differs from the key when it repeats the filter.
        case subscribe(UInt32, subscriptionIdentifier: UInt32, TopicFilter, SubscriptionOptions)
        case unsubscribe(UInt32, TopicFilter)
    }

    /// The packet to send next, or `nil` if the server knows all that is requested. The caller reports the answer with
    /// ``subscribed(_:_:_:_:)`` or ``unsubscribed(_:_:_:)``.
    ///
    /// - Parameter poison: Decides which packets must wait.
    mutating func nextUpdate(heldBackBy poison: PoisonDetector = PoisonDetector()) -> Update? {
        guard !poison.isFull else { return nil }
        var held: [UInt32] = []
        defer { for identifier in held.reversed() { self.updates.prepend(identifier) } }
        while let identifier = self.updates.popFirst() {
            guard var entry = self.entries[identifier], entry.needsUpdate, entry.state.pending == nil else {
                continue
            }
            if poison.isIsolating,
                !poison.maySend(entry.subscribers.isEmpty ? .unsubscribe(identifier) : .subscribe(identifier))
            {
                held.append(identifier)
                continue
            }
            entry.needsUpdate = false
            defer { self.store(identifier, entry) }
            if self.local.contains(identifier), !entry.subscribers.isEmpty { continue }
            if entry.subscribers.isEmpty {
                entry.state.unsubscribing(entry.unsubscribing)
                entry.unsubscribing = []
                return .unsubscribe(identifier, entry.filter)
            }
            let subscriptionIdentifier = self.identifyNext(identifier, &entry)
            entry.state.subscribing(entry.options, entry.waiters)
            entry.waiters = []
            return .subscribe(
                identifier, subscriptionIdentifier: subscriptionIdentifier, entry.filter, entry.options)
        }
        return nil
    }

    /// The subscription identifier of the next SUBSCRIBE: the filter's own if the SUBSCRIBE is for all subscribers, a
    /// new one if the server has the filter already and the retained messages are only for later subscribers.
    private mutating func identifyNext(_ identifier: UInt32, _ entry: inout Entry) -> UInt32 {
        guard entry.state.knowledge == .granted else {
            entry.state.requested(by: entry.subscribers)
            return identifier
        }
        let repetition = self.makeIdentifier()
        self.router.repeats(identifier, as: repetition, for: entry.waiters.map(\.subscriber))
        return repetition
    }

    /// A SUBSCRIBE has ended: the server answered, or its limits forbade sending it. Subscribers that had the filter
    /// before and have lost it now, because the server lost the session and refuses, are appended to `lost`.
    mutating func subscribed(
        _ identifier: UInt32, _ outcome: Completion.Outcome, _ completions: inout [Completion],
        _ lost: inout [LostSubscription]
    ) {
        guard var entry = self.entries[identifier], case .subscribe(let waiters)? = entry.state.pending else {
            return
        }
        for waiter in waiters { completions.append(Completion(request: waiter.request, outcome: outcome)) }
        if case .subscribed(let code, _) = outcome, !code.isFailure {
            self.grants += 1
            entry.fallback = nil
            entry.state.subscribed(number: self.grants)
            self.settle(identifier, entry, &completions)
            return
        }
        entry.state.refused()
        entry.options = entry.optionsAfterRefusal
        let knowledge = entry.state.knowledge
        // Subscribers that wait for a later SUBSCRIBE of the entry will get its answer.
        let pending = Set(entry.waiters.map(\.subscriber))
        let refused = Set(waiters.map(\.subscriber))
        let concernsAll = knowledge != .granted && entry.fallback == nil
        let gone = entry.subscribers.filter { subscriber in
            !pending.contains(subscriber) && (concernsAll || refused.contains(subscriber))
        }
        entry.subscribers.removeAll { gone.contains($0) }
        let lostSubscribers = gone.filter { !refused.contains($0) }
        if !lostSubscribers.isEmpty {
            lost.append(LostSubscription(subscribers: lostSubscribers, outcome: outcome))
        }
        if entry.subscribers.isEmpty {
            if knowledge != .unknown { entry.needsUpdate = true }
        } else if pending.isEmpty, let fallback = entry.fallback {
            self.fallBack(identifier, &entry, fallback)
        }
        self.settle(identifier, entry, &completions)
    }

    /// The filter is local again, for the subscribers that it had before the SUBSCRIBE.
    private mutating func fallBack(_ identifier: UInt32, _ entry: inout Entry, _ fallback: Fallback) {
        entry.options = fallback.options
        entry.fallback = nil
        entry.needsUpdate = false
        self.local.insert(identifier)
        if fallback.isResumable { self.resumable.insert(identifier) }
    }

    /// An UNSUBSCRIBE has ended with this reason code.
    mutating func unsubscribed(_ identifier: UInt32, _ code: ReasonCode, _ completions: inout [Completion]) {
        guard var entry = self.entries[identifier], case .unsubscribe(let waiters)? = entry.state.pending else {
            return
        }
        for request in waiters { self.confirm(request, code, &completions) }
        entry.state.unsubscribed()
        self.settle(identifier, entry, &completions)
    }

    /// The filter of the next SUBSCRIBE, or UNSUBSCRIBE, of an entry; `nil` if the other one is next, or an update
    /// is pending.
    func filter(_ identifier: UInt32, toSubscribe isWanted: Bool) -> TopicFilter? {
        guard let entry = self.entries[identifier], entry.state.pending == nil else { return nil }
        return entry.subscribers.isEmpty == isWanted ? nil : entry.filter
    }

    /// The next SUBSCRIBE for a filter is given up, with the effect of a refusal.
    mutating func giveUpSubscribing(
        _ identifier: UInt32, _ rejection: Rejection, _ completions: inout [Completion],
        _ lost: inout [LostSubscription]
    ) {
        guard var entry = self.entries[identifier], entry.state.pending == nil else { return }
        entry.needsUpdate = false
        entry.state.subscribing(entry.options, entry.waiters)
        entry.waiters = []
        self.store(identifier, entry)
        self.subscribed(identifier, .abandoned(rejection), &completions, &lost)
    }

    /// The next UNSUBSCRIBE for a filter is given up.
    mutating func giveUpUnsubscribing(
        _ identifier: UInt32, _ rejection: Rejection, _ completions: inout [Completion]
    ) {
        guard var entry = self.entries[identifier], entry.state.pending == nil else { return }
        entry.needsUpdate = false
        for request in exchange(&entry.unsubscribing, with: []) {
            self.confirm(request, .success, &completions, rejection)
        }
        entry.state.unsubscribing([])
        self.store(identifier, entry)
        self.unsubscribed(identifier, .success, &completions)
    }

    /// An update has ended: removes an entry without subscribers, queues one that needs another update.
    private mutating func settle(_ identifier: UInt32, _ entry: Entry, _ completions: inout [Completion]) {
        if entry.subscribers.isEmpty, entry.state.isUnknown {
            for request in entry.unsubscribing { self.confirm(request, .success, &completions) }
            self.remove(identifier, entry)
            return
        }
        self.store(identifier, entry)
        if entry.needsUpdate { self.enqueue(identifier) }
    }

    // MARK: Connection and session

    /// The connection is lost. The updates of these entries were pending, and start again on the next connection.
    mutating func connectionLost(pending: [UInt32], _ completions: inout [Completion]) {
        for identifier in pending.reversed() {
            guard var entry = self.entries[identifier] else { continue }
            switch entry.state.connectionLost() {
            case .subscribe(let waiters)?:
                entry.waiters = waiters + entry.waiters
            case .unsubscribe(let waiters)?:
                if entry.subscribers.isEmpty {
                    entry.unsubscribing = waiters + entry.unsubscribing
                } else {
                    for request in waiters { self.confirm(request, .success, &completions) }
                }
            case nil: continue
            }
            entry.needsUpdate = true
            self.store(identifier, entry)
            self.updates.prepend(identifier)
        }
    }

    /// The server has kept the session: it may have the filters of an earlier run.
    mutating func sessionResumed() {
        for identifier in self.resumable { self.entries[identifier]?.state.assumed() }
    }

    /// The server has no session: all filters are requested again.
    mutating func sessionLost(_ completions: inout [Completion]) {
        self.updates.removeAll()
        self.stopResuming()
        for identifier in self.entries.keys.sorted() {
            guard var entry = self.entries[identifier] else { continue }
            entry.needsUpdate = false
            self.router.forgetRepetitions(of: identifier)
            entry.state.sessionLost()
            if entry.subscribers.isEmpty {
                for request in entry.unsubscribing { self.confirm(request, .success, &completions) }
                self.remove(identifier, entry)
                continue
            }
            if entry.fallback?.isResumable == true { entry.fallback = nil }
            if !self.local.contains(identifier) { self.markForUpdate(identifier, &entry) }
            self.store(identifier, entry)
        }
    }

    /// The server has a session, but it may not be the one with our filters: all are requested again.
    mutating func sessionUncertain() {
        self.updates.removeAll()
        self.stopResuming()
        for identifier in self.entries.keys.sorted() {
            guard var entry = self.entries[identifier], !self.local.contains(identifier) else { continue }
            entry.state.sessionUncertain()
            if entry.fallback?.isResumable == true { entry.fallback = nil }
            entry.needsUpdate = false
            self.markForUpdate(identifier, &entry)
            self.store(identifier, entry)
        }
    }

    /// The filters of an earlier run are requested from now on.
    private mutating func stopResuming() {
        self.local.subtract(self.resumable)
        self.resumable.removeAll()
    }

    /// All subscribers and requests end. The server may keep filters with their identifiers, which are not used again.
    mutating func end(_ completions: inout [Completion]) {
        func end(_ request: RequestID, _ mayHaveBeenSent: Bool) {
            completions.append(
                Completion(request: request, outcome: .sessionEnded(mayHaveBeenSent: mayHaveBeenSent)))
        }
        for identifier in self.entries.keys.sorted() {
            guard let entry = self.entries[identifier] else { continue }
            if case .subscribe(let waiters)? = entry.state.pending {
                for waiter in waiters { end(waiter.request, true) }
            }
            let mayHaveBeenSent = entry.state.knowledge == .uncertain && entry.state.pending == nil
            for waiter in entry.waiters { end(waiter.request, mayHaveBeenSent) }
        }
        for request in self.unsubscriptions.keys.sorted() { end(request, true) }
        self = SubscriptionTable(firstIdentifier: self.nextIdentifier)
    }
}

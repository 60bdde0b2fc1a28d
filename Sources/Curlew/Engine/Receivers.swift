import CurlewCore
import CurlewTransport

/// The receivers of messages: subscriptions, the inboxes for replies, and the unclaimed messages.
struct Receivers {
    /// The receivers that have not ended.
    private(set) var active: [SubscriberID: any MessageReceiver] = [:]
    /// Subscriptions that ended while their consumer was processing a message.
    private var ended: [SubscriberID: any MessageReceiver] = [:]
    private var lastID: UInt64 = 0
    /// The inboxes for replies, created for the first request of their kind.
    private var inboxes: [ReplyInbox.Name: ReplyInbox] = [:]
    /// Subscriptions that are full, for which the connection pauses reading.
    private var full: Set<SubscriberID> = []
    /// Messages that no subscription has claimed.
    var unclaimed: UnclaimedMessages<MQTTMessage>
    /// The deadline at which the next of them is released or reported.
    var unclaimedDeadline: (id: Deadlines.ID, time: Timestamp)?
    /// Whether the periodic check for stuck acknowledgements is running.
    var isWatched = false

    init(_ bounds: UnclaimedMessages<MQTTMessage>.Bounds) { self.unclaimed = UnclaimedMessages(bounds) }

    subscript(_ id: SubscriberID) -> (any MessageReceiver)? { self.active[id] }

    mutating func makeID() -> SubscriberID {
        self.lastID += 1
        return SubscriberID(self.lastID)
    }

    mutating func add(_ receiver: any MessageReceiver) { self.active[receiver.id] = receiver }

    /// Ends a subscription. Returns `nil` if it has already ended.
    mutating func end(_ id: SubscriberID) -> (any MessageReceiver)? {
        guard let receiver = self.active.removeValue(forKey: id) else { return nil }
        if receiver.messageInHand != nil { self.ended[id] = receiver }
        return receiver
    }

    /// The last reference to the subscription is gone.
    mutating func forget(_ id: SubscriberID) { self.ended[id] = nil }

    /// Ends all receivers. Returns those that were active.
    mutating func endAll() -> [any MessageReceiver] {
        self.isWatched = false
        self.unclaimedDeadline = nil
        self.inboxes.removeAll()
        self.ended.removeAll()
        return Array(exchange(&self.active, with: [:]).values)
    }

    /// The receivers whose consumer may hold a message.
    var holders: [SubscriberID: any MessageReceiver] {
        self.active.merging(self.ended) { receiver, _ in receiver }
    }

    // MARK: The inboxes for replies

    func inbox(named name: ReplyInbox.Name) -> ReplyInbox? { self.inboxes[name] }

    mutating func use(_ inbox: ReplyInbox) { self.inboxes[inbox.plan.name] = inbox }

    /// Forgets an inbox; the next request of its kind creates a new one.
    mutating func drop(_ inbox: ReplyInbox) {
        if self.inboxes[inbox.plan.name] === inbox { self.inboxes[inbox.plan.name] = nil }
    }

    mutating func remove(_ inbox: ReplyInbox) {
        self.drop(inbox)
        self.active[inbox.id] = nil
    }

    // MARK: Back-pressure

    /// A subscription is full, or has room again. Returns whether any subscription is full.
    mutating func note(_ id: SubscriberID, isFull: Bool) -> Bool {
        if isFull { self.full.insert(id) } else { self.full.remove(id) }
        return !self.full.isEmpty
    }

    // MARK: Unclaimed messages

    /// Whether ``ClientEngine/watchUnclaimed()`` must run earlier than scheduled.
    var mustWatchUnclaimed: Bool {
        guard let deadline = self.unclaimed.deadline else { return false }
        return self.unclaimedDeadline.map { deadline < $0.time } ?? true
    }
}

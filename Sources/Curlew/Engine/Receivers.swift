import CurlewCore
import CurlewTransport

/// Who gets received messages: subscriptions, the inbox of replies, and a waiting room for what none of them has claimed.
struct Receivers {
    /// By subscriber.
    private(set) var active: [SubscriberID: any MessageReceiver] = [:]
    /// Subscriptions that ended while their consumer had a message in hand.
    private var ended: [SubscriberID: any MessageReceiver] = [:]
    private var lastID: UInt64 = 0
    /// Where replies arrive; made for the first request.
    private(set) var inbox: ReplyInbox?
    /// Subscriptions that have the connection rest.
    private var full: Set<SubscriberID> = []
    /// Messages that no subscription has claimed.
    var unclaimed: UnclaimedMessages<MQTTMessage>
    /// When the next of these is let go or reported.
    var unclaimedDeadline: (id: Deadlines.ID, time: Timestamp)?
    /// Whether stuck acknowledgements are being looked for.
    var isWatched = false

    init(_ bounds: UnclaimedMessages<MQTTMessage>.Bounds) { self.unclaimed = UnclaimedMessages(bounds) }

    subscript(_ id: SubscriberID) -> (any MessageReceiver)? { self.active[id] }

    mutating func makeID() -> SubscriberID {
        self.lastID += 1
        return SubscriberID(self.lastID)
    }

    mutating func add(_ receiver: any MessageReceiver) { self.active[receiver.id] = receiver }

    /// Ends a subscription. Returns `nil` if it has ended already.
    mutating func end(_ id: SubscriberID) -> (any MessageReceiver)? {
        guard let receiver = self.active.removeValue(forKey: id) else { return nil }
        if receiver.messageInHand != nil { self.ended[id] = receiver }
        return receiver
    }

    /// No reference to the subscription is left.
    mutating func forget(_ id: SubscriberID) { self.ended[id] = nil }

    /// Ends all. Returns those that were active.
    mutating func endAll() -> [any MessageReceiver] {
        self.isWatched = false
        self.unclaimedDeadline = nil
        self.inbox = nil
        self.ended.removeAll()
        return Array(exchange(&self.active, with: [:]).values)
    }

    /// Everybody who may have a message in hand.
    var holders: [SubscriberID: any MessageReceiver] {
        self.active.merging(self.ended) { receiver, _ in receiver }
    }

    // MARK: The inbox of replies

    mutating func use(_ inbox: ReplyInbox) { self.inbox = inbox }

    /// The inbox is of no use any more; the next request makes another.
    mutating func drop(_ inbox: ReplyInbox) {
        if self.inbox === inbox { self.inbox = nil }
    }

    mutating func remove(_ inbox: ReplyInbox) {
        self.drop(inbox)
        self.active[inbox.id] = nil
    }

    // MARK: Back-pressure

    /// A subscription has as much as it wants, or wants more again. Returns whether any is full.
    mutating func note(_ id: SubscriberID, isFull: Bool) -> Bool {
        if isFull { self.full.insert(id) } else { self.full.remove(id) }
        return !self.full.isEmpty
    }

    // MARK: Unclaimed messages

    /// Whether somebody has to look after unclaimed messages earlier than planned.
    var mustWatchUnclaimed: Bool {
        guard let deadline = self.unclaimed.deadline else { return false }
        return self.unclaimedDeadline.map { deadline < $0.time } ?? true
    }
}

import CurlewCore

/// The model of a client's session: what the broker has to remember from its first connection to its end.
final class Session {
    struct Subscription: Equatable {
        var qos: QoS
        var noLocal: Bool
        var retainAsPublished: Bool
        var identifier: UInt32?
    }

    /// A message that must be sent to the client; at QoS 0, only if the client is still connected.
    struct Due {
        let number: Int
        let qos: QoS
        let retain: Bool
        let identifiers: [UInt32]
        /// The routing of the message that it belongs to.
        let routing: Int
        /// Whether its order matters: not if its publisher repeated it.
        let isOrdered: Bool
    }

    /// A retained message that a subscription allows to be sent, and that must be sent if it `isOwed`.
    struct Retained {
        let number: Int
        let qos: QoS
        let filter: Int
        let identifiers: [UInt32]
        /// The unique version of the retained message.
        let version: Int
        var isOwed = true
    }

    /// A sent message at QoS 1 or 2 that is not yet fully acknowledged.
    struct InFlight {
        /// `nil` if the broker has restored only the end of an exchange.
        let number: Int?
        let qos: QoS
        /// Its place in the order of first transmissions.
        let order: Int
        /// The shared subscription by which it was sent, if any.
        let group: Int?
        /// Whether PUBREC has been received.
        var isReleased = false
        /// The last connection on which PUBLISH was sent, and the last one on which any packet of the exchange was.
        var publishedOn: Int?
        var lastOn: Int?
    }

    /// A guess at what a message was due to, which the client could not know.
    struct Doubt: Equatable {
        let number: Int
        let qos: QoS
        let retain: Bool
        let identifiers: [UInt32]
    }

    /// Messages with the same values must stay in order [MQTT-4.6.0].
    struct Order: Hashable {
        let publisher: Int
        let topic: Int
        let published: QoS
        let delivered: QoS
    }

    /// A fact that must be stored once the client has been told about it.
    enum Fact: Hashable {
        case subscription(Int)
        case received(PacketID)
    }

    let client: Int
    /// Whether the client has been told that the session exists.
    var isTold = false
    var wire: Wire?
    /// How long the session outlives its connection; `nil` for forever.
    var expiry: Duration?
    var will: (message: Int, delay: Duration)?
    /// Events that are due while the client is offline, with their times and order.
    var willDue: (time: Duration, order: Int)?
    var end: (time: Duration, order: Int)?

    var subscriptions: [Int: Subscription] = [:]
    /// All shared subscriptions that ever existed in the session.
    var shared: [Int: [Subscription]] = [:]
    /// The client's own QoS 2 messages that were routed and not yet released.
    var received: Set<PacketID> = []

    var due: [Due] = []
    var retained: [Retained] = []
    var doubts: [Doubt] = []
    var inFlight: [PacketID: InFlight] = [:]
    /// The last message for which each packet identifier was used.
    var written: [PacketID: Int] = [:]
    /// How many exchanges were begun for each message.
    var exchanges: [Delivered: Int] = [:]
    /// The last message sent in each order.
    var last: [Order: Int] = [:]
    /// QoS 2 messages that were routed to the session; none may be routed twice.
    var routed: Set<Int> = []

    /// The number of changes of each fact, and the last change that the client has been told.
    private var changed: [Fact: Int] = [:]
    private var told: [Fact: Int] = [:]

    init(client: Int) { self.client = client }

    /// Notes that a fact has changed. Returns the number of the change.
    func change(_ fact: Fact) -> Int {
        self.changed[fact, default: 0] += 1
        return self.changed[fact, default: 0]
    }

    /// The number of a fact's last change, which the client is about to be told again.
    func lastChange(_ fact: Fact) -> Int { self.changed[fact, default: 0] }

    func tell(_ fact: Fact, _ change: Int) { self.told[fact] = max(self.told[fact, default: 0], change) }

    /// Whether the client knows the current state of a fact.
    func isSettled(_ fact: Fact) -> Bool { self.changed[fact, default: 0] == self.told[fact, default: 0] }

    /// Makes all facts settled.
    func settle() {
        self.changed = [:]
        self.told = [:]
    }

    /// How much of the client's window is in use on a connection.
    func windowUsed(on wire: Wire) -> Int { self.inFlight.values.count { $0.lastOn == wire.number } }
}

import CurlewCore

/// What the broker has to remember of one client, from the first connection of a session to the end of the session: the model's idea of it.
final class Session {
    struct Subscription: Equatable {
        var qos: QoS
        var noLocal: Bool
        var retainAsPublished: Bool
        var identifier: UInt32?
    }

    /// A message that has to be sent to the client: at QoS 0 if it is still there.
    struct Due {
        let number: Int
        let qos: QoS
        let retain: Bool
        let identifiers: [UInt32]
        /// Which routing of the message it comes from.
        let routing: Int
        /// Whether its place among other messages counts: not if it was repeated by its publisher.
        let isOrdered: Bool
    }

    /// A retained message that may be sent because of a subscription, and must be if it `isOwed`.
    struct Retained {
        let number: Int
        let qos: QoS
        let filter: Int
        let identifiers: [UInt32]
        /// Which of all messages that ever were retained.
        let version: Int
        var isOwed = true
    }

    /// A message at QoS 1 or 2 that was sent, and is not acknowledged to its end.
    struct InFlight {
        /// `nil` if the broker has restored the mere end of an exchange.
        let number: Int?
        let qos: QoS
        /// When it was sent first, compared to others.
        let order: Int
        /// The shared subscription that it was sent by, if any.
        let group: Int?
        /// PUBREC was received.
        var isReleased = false
        /// The last connection that PUBLISH was sent on, and the last one that anything of the exchange was.
        var publishedOn: Int?
        var lastOn: Int?
    }

    /// What a message was taken to be due to, though the client was not told.
    struct Doubt: Equatable {
        let number: Int
        let qos: QoS
        let retain: Bool
        let identifiers: [UInt32]
    }

    /// What messages keep their order by [MQTT-4.6.0].
    struct Order: Hashable {
        let publisher: Int
        let topic: Int
        let published: QoS
        let delivered: QoS
    }

    /// What a store has to know once the client was told of it.
    enum Fact: Hashable {
        case subscription(Int)
        case received(PacketID)
    }

    let client: Int
    /// Whether the client was told that there is the session.
    var isTold = false
    var wire: Wire?
    /// How long it outlives its connection; `nil` for ever.
    var expiry: Duration?
    var will: (message: Int, delay: Duration)?
    /// What is to happen while the client is away, when, and in which order.
    var willDue: (time: Duration, order: Int)?
    var end: (time: Duration, order: Int)?

    var subscriptions: [Int: Subscription] = [:]
    /// All that was ever subscribed to of the shared ones.
    var shared: [Int: [Subscription]] = [:]
    /// The client's own QoS 2 messages that were passed on and are not released.
    var received: Set<PacketID> = []

    var due: [Due] = []
    var retained: [Retained] = []
    var doubts: [Doubt] = []
    var inFlight: [PacketID: InFlight] = [:]
    /// Packet identifiers, by the message that they were used for last.
    var written: [PacketID: Int] = [:]
    /// How often a message was begun to be sent.
    var exchanges: [Delivered: Int] = [:]
    /// The last message that was sent, by what keeps its order.
    var last: [Order: Int] = [:]
    /// Messages at QoS 2 that were routed to it: none may be twice.
    var routed: Set<Int> = []

    /// When facts have changed, and up to which change the client was told.
    private var changed: [Fact: Int] = [:]
    private var told: [Fact: Int] = [:]

    init(client: Int) { self.client = client }

    /// A fact has changed. Returns the number of the change.
    func change(_ fact: Fact) -> Int {
        self.changed[fact, default: 0] += 1
        return self.changed[fact, default: 0]
    }

    /// The last change of a fact, which the client is going to be told again.
    func lastChange(_ fact: Fact) -> Int { self.changed[fact, default: 0] }

    func tell(_ fact: Fact, _ change: Int) { self.told[fact] = max(self.told[fact, default: 0], change) }

    /// Whether the client knows how it is about a fact.
    func isSettled(_ fact: Fact) -> Bool { self.changed[fact, default: 0] == self.told[fact, default: 0] }

    /// All that there is is known from now on.
    func settle() {
        self.changed = [:]
        self.told = [:]
    }

    /// How much of the client's window is used on a connection.
    func windowUsed(on wire: Wire) -> Int { self.inFlight.values.count { $0.lastOn == wire.number } }
}

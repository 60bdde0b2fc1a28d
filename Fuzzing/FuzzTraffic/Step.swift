import CurlewCore

/// One step of an input: two bytes.
struct Step {
    enum Action: UInt8, CaseIterable {
        case connect
        case disconnect
        case lose
        case subscribe
        case unsubscribe
        case publish
        case removeRetained
        case answer
        case answerAll
        case refuse
        case ping
        /// The network between client and broker stops delivering, or delivers again.
        case stall
        case flow
        /// The client's link stops being writable for the broker, or becomes writable again.
        case block
        case unblock
        case wait
        case shutStore
        case openStore
        case failStore
        case killBroker

        /// Whether the action needs a connection.
        var needsConnection: Bool {
            switch self {
            case .subscribe, .unsubscribe, .publish, .removeRetained, .ping: true
            default: false
            }
        }

        /// Whether the action only sends packets.
        var isTalk: Bool {
            switch self {
            case .answer, .answerAll, .refuse: true
            default: self.needsConnection
            }
        }
    }

    static let clients = 4

    let client: Int
    let action: Action
    /// Further choices.
    let argument: UInt8
    /// Whether the next step comes before the broker has sent anything.
    let isHasty: Bool

    init(_ choice: UInt8, _ argument: UInt8) {
        self.client = Int(choice) % Self.clients
        self.action = Action.allCases[Int(choice) / Self.clients % Action.allCases.count]
        self.argument = argument
        self.isHasty = self.action.isTalk && Int(choice) >= 2 * Self.clients * Action.allCases.count
    }

    /// Some bits of the argument.
    func bits(_ first: Int, _ count: Int) -> Int { Int(self.argument) >> first & (1 << count - 1) }

    func bit(_ index: Int) -> Bool { self.bits(index, 1) == 1 }
}

extension Step {
    /// The CONNECT that a client sends.
    var connect: Connect {
        let isVersion5 = self.bit(0)
        var connect = Connect(
            version: isVersion5 ? .v5_0 : .v3_1_1, cleanStart: self.bit(1), keepAlive: 0,
            clientIdentifier: Names.clientIdentifier(self.client))
        guard isVersion5 else { return connect }
        switch self.bits(2, 2) {
        case 0: break
        case 1: connect.properties.list = [.sessionExpiryInterval(10)]
        case 2: connect.properties.list = [.sessionExpiryInterval(.max)]
        default: connect.properties.list = [.sessionExpiryInterval(.max), .topicAliasMaximum(2)]
        }
        let receiveMaximum = self.bits(6, 2)
        if receiveMaximum > 0 { connect.properties.list.append(.receiveMaximum(UInt16(receiveMaximum))) }
        return connect
    }

    /// A client's will, with its delay in seconds. No will delay ever ends at the same time as a session expiry,
    /// whatever the steps.
    var will: (qos: QoS, retain: Bool, delay: UInt32)? {
        switch self.bits(4, 2) {
        case 1: (.atLeastOnce, false, 0)
        case 2: (.exactlyOnce, true, 7)
        case 3: (.atLeastOnce, true, 61)
        default: nil
        }
    }

    /// A client's subscription.
    var subscription: (filter: Int, options: SubscriptionOptions) {
        let qos = QoS(rawValue: UInt8(self.bits(3, 2))) ?? .exactlyOnce
        let handling: SubscriptionOptions.RetainHandling =
            self.bits(3, 2) == 3 ? .sendIfNew : self.bit(7) ? .doNotSend : .sendAtSubscribe
        return (
            self.bits(0, 3),
            SubscriptionOptions(
                qos: qos, noLocal: self.bit(5), retainAsPublished: self.bit(6), retainHandling: handling)
        )
    }

    /// How much time passes: always an even number of seconds.
    var duration: Duration { [.seconds(2), .seconds(6), .seconds(20), .seconds(60)][self.bits(0, 2)] }
}

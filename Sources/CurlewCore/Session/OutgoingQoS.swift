/// What the sending side of QoS 1 and 2 has to know of a message.
protocol OutgoingQoSMessage: Sendable {
    /// What remains of a QoS 2 message once the receiver has it.
    associatedtype Receipt: Sendable
    /// Another packet that takes a packet identifier and waits for its answer: SUBSCRIBE or UNSUBSCRIBE.
    associatedtype Request: Sendable

    var qos: QoS { get }
    /// Its size in memory, for the bounds on what is in flight.
    var byteCount: Int { get }
    var payloadByteCount: Int { get }

    /// What remains when PUBREC with this reason code has accepted the message.
    func receipt(_ reasonCode: ReasonCode) -> Receipt
}

/// The sending side of QoS 1 and 2, for client and broker alike (MQTT 5.0 section 4.3): packet identifiers, the
/// exchanges in progress, the window that the receiver's Receive Maximum opens, and what to send again on the next
/// connection.
///
/// A message begins an exchange with ``publish(_:)``. PUBACK ends it at QoS 1. At QoS 2, PUBREC replaces the message
/// by its receipt, and PUBCOMP ends the exchange. An exchange survives the connection; the next one continues it.
struct OutgoingQoS<Message: OutgoingQoSMessage>: Sendable {
    /// How an exchange relates to the current connection.
    enum Position: Sendable {
        /// Begun on an earlier connection, to be continued on this one or the next.
        case waiting
        /// Sent on this connection: takes a place in the window.
        case sent
        /// Never sent again. The receiver may have seen it, so the identifier stays in use.
        case givenUp
    }

    /// An exchange of packets under one packet identifier.
    enum Exchange: Sendable {
        /// PUBLISH, not answered yet.
        case publish(Message, Position)
        /// PUBREL, after PUBREC: the message belongs to the receiver. `repetitions`: how often PUBREC has come again
        /// on this connection.
        case release(Message.Receipt, Position, repetitions: Int)
        /// SUBSCRIBE or UNSUBSCRIBE, which share the packet identifiers but not the window.
        case request(Message.Request)
    }

    // MARK: As long as the session

    private var exchanges: InFlightTable<Exchange>
    /// The size of the messages in flight.
    private(set) var bytes = 0
    private(set) var payloadBytes = 0

    // MARK: As long as the connection

    /// How many more exchanges fit into the window [MQTT-4.9.0-2]. Each one sent on this connection takes a place and
    /// returns it at its end. PUBREL may be sent without a place left, which takes this below 0.
    private(set) var quota = 0
    /// Exchanges of earlier connections to continue, the next one last.
    private var resends: [PacketID] = []

    /// - Parameter first: The first packet identifier; `nil` for 1.
    init(first: PacketID? = nil) { self.exchanges = InFlightTable(first: first) }

    /// A session restored from a store, with distinct identifiers. Messages and receipts are in their order of sending.
    init(restoring exchanges: [(id: PacketID, exchange: Exchange)]) {
        self.exchanges = InFlightTable(
            exchanges.map { id, exchange in
                if case .release = exchange { (id, exchange, .released) } else { (id, exchange, .unanswered) }
            })
        for (_, exchange) in exchanges { self.count(exchange, 1) }
    }

    // MARK: Queries

    var count: Int { self.exchanges.count }

    /// Places allocated for exchanges, in use or not.
    var places: Int { self.exchanges.places }

    /// Whether all packet identifiers are in use.
    var isFull: Bool { self.exchanges.isFull }

    var hasResends: Bool { !self.resends.isEmpty }

    /// Whether the window has a place for a new message, and no earlier one must be sent first [MQTT-4.6.0-1].
    var mayPublish: Bool { self.quota > 0 && self.resends.isEmpty }

    subscript(id: PacketID) -> Exchange? { self.exchanges[id] }

    /// The exchanges of one kind, in the order in which they reached it.
    func identifiers(in lane: InFlightTable<Exchange>.Lane) -> [PacketID] { self.exchanges.identifiers(in: lane) }

    // MARK: Sending

    /// A message is sent for the first time. Returns `nil` when all packet identifiers are in use [MQTT-2.2.1-3].
    mutating func publish(_ message: Message) -> PacketID? {
        guard let id = self.exchanges.insert(.publish(message, .sent)) else { return nil }
        self.quota -= 1
        self.count(message, 1)
        return id
    }

    /// A SUBSCRIBE or UNSUBSCRIBE is sent. Returns `nil` when all packet identifiers are in use.
    mutating func request(_ request: Message.Request) -> PacketID? { self.exchanges.insert(.request(request)) }

    /// Ends an exchange, or withdraws one whose first packet could not be sent.
    @discardableResult
    mutating func end(_ id: PacketID) -> Exchange? {
        guard let exchange = self.exchanges.remove(id) else { return nil }
        if exchange.position == .sent { self.quota += 1 }
        self.count(exchange, -1)
        return exchange
    }

    // MARK: Acknowledgements

    /// What PUBACK means.
    enum ReceivedPuback {
        /// The exchange is over.
        case acknowledged(Message)
        /// It answers no message at QoS 1. Nothing has changed.
        case unexpected
        /// No such exchange: the acknowledgement may have crossed the loss of a connection.
        case unknown
    }

    mutating func receivedPuback(_ id: PacketID) -> ReceivedPuback {
        switch self.exchanges[id] {
        case .publish(let message, _)? where message.qos == .atLeastOnce:
            self.end(id)
            return .acknowledged(message)
        case nil: return .unknown
        default: return .unexpected
        }
    }

    /// What PUBREC means.
    enum ReceivedPubrec {
        /// The receiver has taken the message: answer with PUBREL [MQTT-4.3.3-4].
        case accepted(Message)
        /// The receiver has refused the message. The exchange is over.
        case refused(Message)
        /// The receiver had taken the message before: answer with PUBREL again. The number counts this on the current
        /// connection.
        case repeated(Int)
        /// It answers no message at QoS 2. Nothing has changed.
        case unexpected
        /// No such exchange: the acknowledgement may have crossed the loss of a connection.
        case unknown
    }

    /// PUBREL follows the order of the PUBRECs [MQTT-4.6.0-4] when the caller answers at once.
    mutating func receivedPubrec(_ id: PacketID, _ reasonCode: ReasonCode) -> ReceivedPubrec {
        switch self.exchanges[id] {
        case .publish(let message, let position)? where message.qos == .exactlyOnce:
            guard !reasonCode.isFailure else {
                self.end(id)
                return .refused(message)
            }
            self.release(id, message, reasonCode, from: position, to: .sent)
            return .accepted(message)
        case .release(let receipt, let position, let repetitions)?:
            if position == .waiting { self.quota -= 1 }
            self.exchanges.replace(
                id,
                with: .release(
                    receipt, position == .givenUp ? .givenUp : .sent, repetitions: repetitions + 1))
            return .repeated(repetitions + 1)
        case nil: return .unknown
        default: return .unexpected
        }
    }

    /// What PUBCOMP means.
    enum ReceivedPubcomp {
        /// The exchange is over.
        case completed(Message.Receipt)
        /// It answers no PUBREL. Nothing has changed.
        case unexpected
        /// No such exchange: the acknowledgement may have crossed the loss of a connection.
        case unknown
    }

    mutating func receivedPubcomp(_ id: PacketID) -> ReceivedPubcomp {
        switch self.exchanges[id] {
        case .release(let receipt, _, _)?:
            self.end(id)
            return .completed(receipt)
        case nil: return .unknown
        default: return .unexpected
        }
    }

    /// Replaces a message, which no longer needs to be kept [MQTT-4.3.3-6], by its receipt.
    private mutating func release(
        _ id: PacketID, _ message: Message, _ reasonCode: ReasonCode, from old: Position, to new: Position
    ) {
        if old != .sent, new == .sent { self.quota -= 1 }
        self.count(message, -1)
        self.exchanges.replace(id, with: .release(message.receipt(reasonCode), new, repetitions: 0))
        self.exchanges.moveToReleased(id)
    }

    // MARK: Connections

    /// A connection begins that continues the session. `window` is the receiver's Receive Maximum, or less.
    mutating func connected(window: Int) {
        self.quota = window
        self.resends =
            (self.identifiers(in: .released) + self.identifiers(in: .unanswered)).reversed()
    }

    /// An exchange of an earlier connection to continue.
    enum Resend {
        /// Send the message again, with DUP [MQTT-3.3.1-1].
        case publish(PacketID, Message)
        /// Send PUBREL again.
        case release(PacketID, Message.Receipt)
    }

    /// The next exchange to continue, PUBRELs first, each kind in its order [MQTT-4.4.0-1] [MQTT-4.6.0-1]. The caller
    /// follows with ``resent(_:)`` or ``skipResend()``, or ends the exchange.
    mutating func nextResend() -> Resend? {
        while let id = self.resends.last {
            switch self.exchanges[id] {
            case .publish(let message, .waiting)?: return .publish(id, message)
            case .release(let receipt, .waiting, _)?: return .release(id, receipt)
            // Acknowledged or given up in the meantime.
            case .publish?, .release?, .request?, nil: self.resends.removeLast()
            }
        }
        return nil
    }

    /// An exchange from ``nextResend()`` was continued: it takes a place in the window.
    mutating func resent(_ id: PacketID) {
        self.skipResend()
        self.quota -= 1
        self.update(id) { $0.position = .sent }
    }

    /// The exchange from ``nextResend()`` can't be continued on this connection. It waits for another one.
    mutating func skipResend() { _ = self.resends.popLast() }

    /// The connection is lost. Returns the requests that were not answered, which are over.
    @discardableResult
    mutating func connectionLost() -> [Message.Request] {
        self.quota = 0
        self.resends = []
        var requests: [Message.Request] = []
        for id in self.identifiers(in: .released) + self.identifiers(in: .unanswered) {
            switch self.exchanges[id] {
            case .publish(let message, .sent)?: self.exchanges.replace(id, with: .publish(message, .waiting))
            case .release(let receipt, let position, _)?:
                self.exchanges.replace(
                    id, with: .release(receipt, position == .sent ? .waiting : position, repetitions: 0))
            case .request(let request)?:
                _ = self.exchanges.remove(id)
                requests.append(request)
            case .publish?, nil: break
            }
        }
        return requests
    }

    /// What the loss of the session at the receiver leaves, each in its order.
    struct Remains {
        /// QoS 2 messages that the receiver had taken.
        var receipts: [(PacketID, Message.Receipt)] = []
        /// Messages that the receiver had not acknowledged.
        var messages: [Message] = []
    }

    /// A connection begins, and the receiver has no session: all exchanges are over.
    mutating func sessionLost() -> Remains {
        var remains = Remains()
        for id in self.identifiers(in: .released) + self.identifiers(in: .unanswered) {
            switch self.end(id) {
            case .publish(let message, _)?: remains.messages.append(message)
            case .release(let receipt, _, _)?: remains.receipts.append((id, receipt))
            case .request?, nil: break
            }
        }
        self.resends = []
        return remains
    }

    // MARK: Giving up

    /// An exchange is never continued, whatever the receiver knows of it.
    mutating func giveUp(_ id: PacketID) {
        guard let exchange = self.exchanges[id] else { return }
        if exchange.position == .sent { self.quota += 1 }
        self.resends.removeAll { $0 == id }
        self.update(id) { $0.position = .givenUp }
    }

    /// A message that waits to be sent again is withdrawn. At QoS 2 the receiver may remember the identifier and take
    /// the next message with it for a repetition, so PUBREL takes the place of the message [MQTT-4.3.3-8].
    mutating func revoke(_ id: PacketID) {
        guard case .publish(let message, .waiting)? = self.exchanges[id] else { return }
        guard message.qos == .exactlyOnce else {
            self.end(id)
            return
        }
        self.release(id, message, .success, from: .waiting, to: .waiting)
    }

    /// Changes what is known of an exchange, but not its kind.
    mutating func update(_ id: PacketID, _ change: (inout Exchange) -> Void) {
        guard var exchange = self.exchanges[id] else { return }
        self.count(exchange, -1)
        change(&exchange)
        self.count(exchange, 1)
        self.exchanges.replace(id, with: exchange)
    }

    // MARK: Bytes

    private mutating func count(_ exchange: Exchange, _ sign: Int) {
        if case .publish(let message, _) = exchange { self.count(message, sign) }
    }

    private mutating func count(_ message: Message, _ sign: Int) {
        self.bytes += sign * message.byteCount
        self.payloadBytes += sign * message.payloadByteCount
    }
}

extension OutgoingQoS.Exchange {
    /// `nil` for a request.
    var position: OutgoingQoS.Position? {
        get {
            switch self {
            case .publish(_, let position), .release(_, let position, _): position
            case .request: nil
            }
        }
        set {
            guard let newValue else { return }
            switch self {
            case .publish(let message, _): self = .publish(message, newValue)
            case .release(let receipt, _, let repetitions):
                self = .release(receipt, newValue, repetitions: repetitions)
            case .request: break
            }
        }
    }
}

extension OutgoingQoS.ReceivedPuback: Equatable where Message: Equatable {}
extension OutgoingQoS.ReceivedPubrec: Equatable where Message: Equatable {}
extension OutgoingQoS.ReceivedPubcomp: Equatable where Message.Receipt: Equatable {}
extension OutgoingQoS.Resend: Equatable where Message: Equatable, Message.Receipt: Equatable {}

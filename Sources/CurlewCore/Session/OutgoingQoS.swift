/// What a session keeps of an exchange of packets under one packet identifier: a message, what remains of it after
/// PUBREC, or a SUBSCRIBE or UNSUBSCRIBE.
protocol OutgoingExchange: Sendable {
    /// The size of the message in memory, for the bounds on what is in flight; 0 if there is none.
    var byteCount: Int { get }
    var payloadByteCount: Int { get }

    /// What remains of a message after PUBREC with this reason code has accepted it.
    func released(by reasonCode: ReasonCode) -> Self
}

/// The sending side of QoS 1 and 2, for client and broker alike (MQTT 5.0 section 4.3): packet identifiers, the
/// exchanges in progress, the window that the receiver's Receive Maximum opens, and what to send again on the next
/// connection.
///
/// A message begins an exchange with ``publish(_:qos:)``. PUBACK ends it at QoS 1. At QoS 2, PUBREC releases the
/// message, and PUBCOMP ends the exchange. An exchange survives the connection; the next one continues it.
struct OutgoingQoS<Exchange: OutgoingExchange>: Sendable {
    typealias Table = InFlightTable<Exchange>

    // MARK: As long as the session

    private var exchanges: Table
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
    init(first: PacketID? = nil) { self.exchanges = Table(first: first) }

    /// A session restored from a store. The identifiers are distinct, and messages and released ones each in their
    /// order.
    init(restoring exchanges: [(id: PacketID, exchange: Exchange, stage: Table.Status.Stage)]) {
        self.exchanges = Table(
            exchanges.map { (id: $0.id, element: $0.exchange, lane: $0.stage == .released ? .released : .unanswered) })
        for (id, exchange, stage) in exchanges {
            self.exchanges.setStatus(id, Table.Status(stage: stage, position: .waiting))
            self.count(exchange, 1)
        }
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

    func status(_ id: PacketID) -> Table.Status? { self.exchanges.status(id) }

    /// The exchanges of one lane, in the order in which they reached it.
    func identifiers(in lane: Table.Lane) -> [PacketID] { self.exchanges.identifiers(in: lane) }

    // MARK: Sending

    /// A message at QoS 1 or 2 is sent for the first time. Returns `nil` when all packet identifiers are in use
    /// [MQTT-2.2.1-3].
    mutating func publish(_ message: Exchange, qos: QoS) -> PacketID? {
        let stage: Table.Status.Stage = qos == .exactlyOnce ? .exactlyOnce : .atLeastOnce
        guard let id = self.exchanges.insert(message, Table.Status(stage: stage)) else { return nil }
        self.quota -= 1
        self.count(message, 1)
        return id
    }

    /// A SUBSCRIBE or UNSUBSCRIBE is sent, which takes a packet identifier but no place in the window. Returns `nil`
    /// when all packet identifiers are in use.
    mutating func request(_ request: Exchange) -> PacketID? { self.exchanges.insert(request) }

    /// Ends an exchange, or withdraws one whose first packet could not be sent.
    @discardableResult
    mutating func end(_ id: PacketID) -> Exchange? {
        guard let status = self.exchanges.status(id), let exchange = self.exchanges.remove(id) else { return nil }
        if status.position == .sent, status.stage != .request { self.quota += 1 }
        self.count(exchange, -1)
        return exchange
    }

    // MARK: Acknowledgements

    /// What PUBACK means.
    enum ReceivedPuback {
        /// The exchange of this message is over.
        case acknowledged(Exchange)
        /// It answers no message at QoS 1. Nothing has changed.
        case unexpected
        /// No such exchange: the acknowledgement may have crossed the loss of a connection.
        case unknown
    }

    mutating func receivedPuback(_ id: PacketID) -> ReceivedPuback {
        guard let status = self.exchanges.status(id) else { return .unknown }
        guard status.stage == .atLeastOnce, let message = self.end(id) else { return .unexpected }
        return .acknowledged(message)
    }

    /// What PUBREC means.
    enum ReceivedPubrec {
        /// The receiver has taken this message: answer with PUBREL [MQTT-4.3.3-4].
        case accepted(Exchange)
        /// The receiver has refused this message. The exchange is over.
        case refused(Exchange)
        /// The receiver had taken the message before: answer with PUBREL again. The number counts this on the current
        /// connection, up to 255.
        case repeated(Int)
        /// It answers no message at QoS 2. Nothing has changed.
        case unexpected
        /// No such exchange: the acknowledgement may have crossed the loss of a connection.
        case unknown
    }

    /// PUBREL follows the order of the PUBRECs [MQTT-4.6.0-4] when the caller answers at once.
    mutating func receivedPubrec(_ id: PacketID, _ reasonCode: ReasonCode) -> ReceivedPubrec {
        guard var status = self.exchanges.status(id) else { return .unknown }
        switch status.stage {
        case .exactlyOnce where reasonCode.isFailure: return self.end(id).map { .refused($0) } ?? .unknown
        case .exactlyOnce:
            if status.position != .sent { self.quota -= 1 }
            return self.release(id, reasonCode, .sent).map { .accepted($0) } ?? .unknown
        case .released:
            if status.position == .waiting {
                self.quota -= 1
                status.position = .sent
            }
            if status.repetitions < .max { status.repetitions += 1 }
            self.exchanges.setStatus(id, status)
            return .repeated(Int(status.repetitions))
        case .atLeastOnce, .request: return .unexpected
        }
    }

    /// What PUBCOMP means.
    enum ReceivedPubcomp {
        /// The exchange of this released message is over.
        case completed(Exchange)
        /// It answers no PUBREL. Nothing has changed.
        case unexpected
        /// No such exchange: the acknowledgement may have crossed the loss of a connection.
        case unknown
    }

    mutating func receivedPubcomp(_ id: PacketID) -> ReceivedPubcomp {
        guard let status = self.exchanges.status(id) else { return .unknown }
        guard status.stage == .released, let released = self.end(id) else { return .unexpected }
        return .completed(released)
    }

    /// Replaces a message, which no longer needs to be kept [MQTT-4.3.3-6], by what remains of it. Returns the message.
    private mutating func release(
        _ id: PacketID, _ reasonCode: ReasonCode, _ position: Table.Status.Position
    ) -> Exchange? {
        guard let message = self.exchanges[id] else { return nil }
        self.count(message, -1)
        self.exchanges.replace(id, with: message.released(by: reasonCode))
        self.exchanges.setStatus(id, Table.Status(stage: .released, position: position))
        self.exchanges.moveToReleased(id)
        return message
    }

    // MARK: Connections

    /// A connection begins that continues the session. `window` is the receiver's Receive Maximum, or less.
    mutating func connected(window: Int) {
        self.quota = window
        self.resends = (self.identifiers(in: .released) + self.identifiers(in: .unanswered)).reversed()
    }

    /// An exchange of an earlier connection to continue.
    enum Resend {
        /// Send the message again, with DUP [MQTT-3.3.1-1].
        case publish(PacketID, Exchange)
        /// Send PUBREL again.
        case release(PacketID)
    }

    /// The next exchange to continue, PUBRELs first, each kind in its order [MQTT-4.4.0-1] [MQTT-4.6.0-1]. The caller
    /// follows with ``resent(_:)`` or ``skipResend()``, or ends the exchange.
    mutating func nextResend() -> Resend? {
        while let id = self.resends.last {
            // Others were acknowledged or given up in the meantime.
            if let status = self.exchanges.status(id), status.position == .waiting {
                if status.stage == .released { return .release(id) }
                if let message = self.exchanges[id] { return .publish(id, message) }
            }
            self.resends.removeLast()
        }
        return nil
    }

    /// An exchange from ``nextResend()`` was continued: it takes a place in the window.
    mutating func resent(_ id: PacketID) {
        self.skipResend()
        self.quota -= 1
        self.setPosition(id, .sent)
    }

    /// The exchange from ``nextResend()`` can't be continued on this connection. It waits for another one.
    mutating func skipResend() { _ = self.resends.popLast() }

    /// The connection is lost. Returns the requests that were not answered, which are over.
    @discardableResult
    mutating func connectionLost() -> [Exchange] {
        self.quota = 0
        self.resends = []
        var requests: [Exchange] = []
        for id in self.identifiers(in: .released) + self.identifiers(in: .unanswered) {
            guard var status = self.exchanges.status(id) else { continue }
            if status.stage == .request {
                if let request = self.exchanges.remove(id) { requests.append(request) }
                continue
            }
            if status.position == .sent { status.position = .waiting }
            status.repetitions = 0
            self.exchanges.setStatus(id, status)
        }
        return requests
    }

    /// What the loss of the session at the receiver leaves, each in its order.
    struct Remains {
        /// QoS 2 messages that the receiver had taken.
        var released: [(id: PacketID, exchange: Exchange)] = []
        /// Messages that the receiver had not acknowledged.
        var messages: [Exchange] = []
    }

    /// A connection begins, and the receiver has no session: all exchanges are over.
    mutating func sessionLost() -> Remains {
        var remains = Remains()
        for id in self.identifiers(in: .released) {
            if let exchange = self.end(id) { remains.released.append((id, exchange)) }
        }
        remains.messages = self.identifiers(in: .unanswered).compactMap { self.end($0) }
        self.resends = []
        return remains
    }

    // MARK: Giving up

    /// An exchange is never continued, whatever the receiver knows of it.
    mutating func giveUp(_ id: PacketID) {
        if self.exchanges.status(id)?.position == .sent { self.quota += 1 }
        self.resends.removeAll { $0 == id }
        self.setPosition(id, .givenUp)
    }

    /// A message that waits to be sent again is withdrawn. At QoS 2 the receiver may remember the identifier and take
    /// the next message with it for a repetition, so PUBREL takes the place of the message [MQTT-4.3.3-8].
    mutating func revoke(_ id: PacketID) {
        guard let status = self.exchanges.status(id), status.position == .waiting else { return }
        switch status.stage {
        case .atLeastOnce: self.end(id)
        case .exactlyOnce: _ = self.release(id, .success, .waiting)
        case .released, .request: break
        }
    }

    /// Changes what is kept of an exchange.
    mutating func update(_ id: PacketID, _ change: (inout Exchange) -> Void) {
        guard var exchange = self.exchanges[id] else { return }
        self.count(exchange, -1)
        change(&exchange)
        self.count(exchange, 1)
        self.exchanges.replace(id, with: exchange)
    }

    private mutating func setPosition(_ id: PacketID, _ position: Table.Status.Position) {
        guard var status = self.exchanges.status(id) else { return }
        status.position = position
        self.exchanges.setStatus(id, status)
    }

    private mutating func count(_ exchange: Exchange, _ sign: Int) {
        self.bytes += sign * exchange.byteCount
        self.payloadBytes += sign * exchange.payloadByteCount
    }
}

extension OutgoingQoS.ReceivedPuback: Equatable where Exchange: Equatable {}
extension OutgoingQoS.ReceivedPubrec: Equatable where Exchange: Equatable {}
extension OutgoingQoS.ReceivedPubcomp: Equatable where Exchange: Equatable {}
extension OutgoingQoS.Resend: Equatable where Exchange: Equatable {}

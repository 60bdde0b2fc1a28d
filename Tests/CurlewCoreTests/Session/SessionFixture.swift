import NIOCore
import Testing

@testable import CurlewCore

/// A session with its output buffer, and shorthands for events.
struct SessionFixture {
    var session: ClientSession
    var now = Timestamp.start
    private(set) var version = ProtocolVersion.v5_0
    private var out = ByteBuffer()
    private var requests: UInt64 = 0

    init(_ configure: (inout ClientSession.Settings) -> Void = { _ in }) {
        var settings = ClientSession.Settings()
        configure(&settings)
        self.session = ClientSession(settings)
    }

    /// A connected session, with these properties in the CONNACK.
    static func connected(
        _ properties: Property..., version: ProtocolVersion = .v5_0,
        configure: (inout ClientSession.Settings) -> Void = { _ in }
    ) -> Self {
        var fixture = Self(configure)
        fixture.connect(clean: true, properties, version: version)
        return fixture
    }

    // MARK: The connection

    @discardableResult
    mutating func connect(
        present: Bool = false, clean: Bool = false, _ properties: [Property] = [], version: ProtocolVersion = .v5_0,
        server: String = "one"
    ) -> ClientSession.Connected {
        self.version = version
        self.out.clear()
        let connect = Connect(version: version, cleanStart: clean, clientIdentifier: "c")
        let connack = ConnAck(sessionPresent: present, properties: Properties(properties))
        return self.session.connected(connack, to: connect, server: server, now: self.now, into: &self.out)
    }

    /// Loses the connection, and everything in the buffer.
    mutating func lose() {
        self.session.connectionLost()
        self.out.clear()
    }

    /// Makes the server break the connection.
    mutating func breakConnection(after time: Duration = .milliseconds(1)) {
        self.now = self.now + time
        self.session.connectionLost(.byServer, now: self.now)
        self.out.clear()
    }

    /// Advances the time to the end of a trial.
    mutating func endTrial() {
        guard let end = self.session.poisonDeadline else { return }
        self.now = end
        self.session.poisonDeadlineReached(now: end, into: &self.out)
    }

    /// Advances the time to when publishes may be sent again; `nil` if none waits for it.
    mutating func endPaceWait() -> Timestamp? {
        guard let deadline = self.session.takePaceDeadline() else { return nil }
        self.now = deadline
        self.session.paceDeadlineReached(deadline, now: deadline, into: &self.out)
        return deadline
    }

    mutating func reconnect(present: Bool = true, _ properties: Property...) {
        self.lose()
        self.connect(present: present, properties, version: self.version)
    }

    /// The packets written since the last call; their bytes count as sent.
    mutating func written() -> [Packet] {
        var decoder = PacketDecoder(from: .client, version: self.version, maximumPacketSize: .max)
        var packets: [Packet] = []
        do {
            while let packet = try decoder.decode(from: &self.out) { packets.append(packet) }
        } catch {
            Issue.record("what the session writes cannot be decoded: \(error)")
        }
        self.out.clear()
        return packets
    }

    /// The number of bytes in the buffer.
    var unsent: Int { self.out.readableBytes }

    mutating func pump() { self.session.pump(now: self.now, into: &self.out) }

    // MARK: Calls of the application

    var lastRequest: RequestID { RequestID(self.requests) }

    mutating func makeRequest() -> RequestID {
        self.requests += 1
        return self.lastRequest
    }

    @discardableResult
    mutating func publish(
        _ text: String = "m", to topic: TopicName = "a", _ qos: QoS = .atLeastOnce, retain: Bool = false,
        properties: [Property] = [], isAwaited: Bool = true
    ) throws(Rejection) -> RequestID {
        let request = self.makeRequest()
        let message = OutgoingMessage(
            topic: topic, payload: ByteBuffer(string: text), qos: qos, retain: retain,
            properties: Properties(properties))
        _ = try self.session.publish(
            message, request: request, isAwaited: isAwaited, now: self.now, into: &self.out)
        return request
    }

    /// Publishes a message; `nil` if it is rejected.
    mutating func submit(
        _ message: OutgoingMessage, _ request: RequestID, isAwaited: Bool
    ) -> ClientSession.Submitted? {
        try? self.session.publish(message, request: request, isAwaited: isAwaited, now: self.now, into: &self.out)
    }

    @discardableResult
    mutating func subscribe(
        _ filter: String = "a", _ subscriber: UInt64 = 1, _ options: SubscriptionOptions = SubscriptionOptions()
    ) throws(Rejection) -> RequestID {
        let request = self.makeRequest()
        try self.session.subscribe(
            topicFilter(filter), options, subscriber: SubscriberID(subscriber), request: request, into: &self.out)
        return request
    }

    @discardableResult
    mutating func unsubscribe(_ subscriber: UInt64 = 1) -> RequestID {
        let request = self.makeRequest()
        self.session.unsubscribe(SubscriberID(subscriber), request: request, now: self.now, into: &self.out)
        return request
    }

    mutating func resume(_ filter: String, _ subscriber: UInt64 = 1) {
        self.session.resume(
            topicFilter(filter), SubscriptionOptions(), subscriber: SubscriberID(subscriber), into: &self.out)
    }

    mutating func listen(_ filter: String, _ subscriber: UInt64 = 1) {
        self.session.listen(to: topicFilter(filter), subscriber: SubscriberID(subscriber))
    }

    mutating func giveUp(_ filter: String) -> RequestID {
        let request = self.makeRequest()
        self.session.giveUp(topicFilter(filter), request: request, now: self.now, into: &self.out)
        return request
    }

    mutating func consume(_ token: DeliveryToken?, _ reasonCode: ReasonCode = .success) {
        guard let token else { return }
        self.session.consumed(token, reasonCode: reasonCode, into: &self.out)
    }

    mutating func completions() -> [Completion] { self.session.takeCompletions() }

    // MARK: Packets from the server

    @discardableResult
    mutating func receive(_ packet: Packet) -> ClientSession.Received {
        self.session.received(packet, now: self.now, into: &self.out)
    }

    @discardableResult
    mutating func receive(
        _ kind: Acknowledgement.Kind, _ number: UInt16, _ reasonCode: ReasonCode = .success
    ) -> ClientSession.Received {
        self.receive(.acknowledgement(kind, number, reasonCode))
    }

    @discardableResult
    mutating func suback(_ number: UInt16, _ reasonCode: ReasonCode = .grantedQoS2) -> ClientSession.Received {
        self.receive(.suback(SubAck(id(number), [reasonCode])))
    }

    @discardableResult
    mutating func unsuback(_ number: UInt16, _ reasonCode: ReasonCode = .success) -> ClientSession.Received {
        self.receive(.unsuback(UnsubAck(id(number), self.version == .v5_0 ? [reasonCode] : [])))
    }

    /// Receives a message. Returns its receivers and its token, or `nil` if it is not delivered.
    @discardableResult
    mutating func deliver(
        _ text: String = "m", on topic: TopicName? = "a", _ qos: QoS = .atMostOnce, _ number: UInt16? = nil,
        alias: UInt16? = nil, retain: Bool = false, dup: Bool = false, identifiers: [UInt32] = []
    ) -> Delivery? {
        let packet = Publish.incoming(
            text, topic, qos, number, alias: alias, retain: retain, dup: dup, identifiers: identifiers)
        guard case .message(_, let subscribers, let token) = self.receive(.publish(packet)) else { return nil }
        return Delivery(to: subscribers.map(\.rawValue), token: token)
    }

    /// Receives a message that the decoder has skipped because it was too large.
    @discardableResult
    mutating func receiveSkipped(_ packet: Publish) -> ClientSession.Received {
        self.session.receivedSkipped(packet, into: &self.out)
    }

    /// Receives a message that must be delivered.
    mutating func delivered(
        _ text: String = "m", on topic: TopicName = "a", _ qos: QoS = .atMostOnce, _ number: UInt16? = nil,
        dup: Bool = false
    ) throws -> Delivery {
        let delivery = self.deliver(text, on: topic, qos, number, dup: dup)
        return try #require(delivery)
    }
}

struct Delivery: Equatable {
    let to: [UInt64]
    let token: DeliveryToken?
}

// MARK: - Shorthands for packets

extension Packet {
    static func acknowledgement(
        _ kind: Acknowledgement.Kind, _ number: UInt16, _ reasonCode: ReasonCode = .success
    ) -> Self {
        let packet = Acknowledgement(id(number), reasonCode: reasonCode)
        return switch kind {
        case .puback: .puback(packet)
        case .pubrec: .pubrec(packet)
        case .pubrel: .pubrel(packet)
        case .pubcomp: .pubcomp(packet)
        }
    }

    /// A short description: `PUBLISH 1 dup`, `PUBREL 3`, `SUBSCRIBE 2 a/#`.
    var summary: String {
        func acknowledgement(_ name: String, _ packet: Acknowledgement) -> String {
            "\(name) \(packet.packetID)" + (packet.reasonCode == .success ? "" : " \(packet.reasonCode.rawValue)")
        }
        return switch self {
        case .publish(let packet):
            "PUBLISH" + (packet.packetID.map { " \($0)" } ?? "") + (packet.dup ? " dup" : "")
                + " \(String(buffer: packet.payload))"
        case .puback(let packet): acknowledgement("PUBACK", packet)
        case .pubrec(let packet): acknowledgement("PUBREC", packet)
        case .pubrel(let packet): acknowledgement("PUBREL", packet)
        case .pubcomp(let packet): acknowledgement("PUBCOMP", packet)
        case .subscribe(let packet): "SUBSCRIBE \(packet.packetID) \(packet.subscriptions[0].filter)"
        case .unsubscribe(let packet): "UNSUBSCRIBE \(packet.packetID) \(packet.filters[0])"
        default: "\(self)"
        }
    }
}

extension [Packet] {
    var summaries: [String] { self.map(\.summary) }

    var publishes: [Publish] { self.compactMap { if case .publish(let packet) = $0 { packet } else { nil } } }

    var subscribes: [Subscribe] { self.compactMap { if case .subscribe(let packet) = $0 { packet } else { nil } } }
}

extension Publish {
    static func incoming(
        _ text: String = "m", _ topic: TopicName? = "a", _ qos: QoS = .atMostOnce, _ number: UInt16? = nil,
        alias: UInt16? = nil, retain: Bool = false, dup: Bool = false, identifiers: [UInt32] = []
    ) -> Self {
        var packet = Publish(
            topic: topic, topicAlias: alias, payload: ByteBuffer(string: text), qos: qos, retain: retain, dup: dup,
            packetID: number.map(id))
        packet.properties.subscriptionIdentifiers = identifiers
        return packet
    }
}

extension Completion {
    static func published(_ request: RequestID, _ code: ReasonCode = .success, reason: String? = nil) -> Self {
        Self(request: request, outcome: .published(code, reason: reason))
    }

    static func subscribed(_ request: RequestID, _ code: ReasonCode = .grantedQoS2) -> Self {
        Self(request: request, outcome: .subscribed(code, reason: nil))
    }

    static func unsubscribed(_ request: RequestID, _ code: ReasonCode = .success) -> Self {
        Self(request: request, outcome: .unsubscribed(code))
    }

    static func rejected(_ request: RequestID, _ rejection: Rejection) -> Self {
        Self(request: request, outcome: .rejected(rejection))
    }

    static func ended(_ request: RequestID, mayHaveBeenSent: Bool) -> Self {
        Self(request: request, outcome: .sessionEnded(mayHaveBeenSent: mayHaveBeenSent))
    }
}

extension ClientSession.Received {
    /// The reason code with which the client must close the connection.
    var violation: ReasonCode? { if case .violation(let code, _) = self { code } else { nil } }
}

public import Curlew
import CurlewCore
import CurlewTransport
import NIOCore

/// The server's end of one connection to a ``ScriptedServer``: the test reads what the client sends, and answers.
///
/// These methods read and answer in one step, for tests of applications. PINGREQ is answered automatically.
public final class ScriptedConnection: Sendable {
    struct State: Sendable {
        /// The client's packets that the test has not read yet.
        var received: [Packet] = []
        var isClosed = false
        /// What was wrong with the client's bytes.
        var failure: DecodingError?
        var answersPings = true
        var version = ProtocolVersion.v5_0
        var lastPacketID: UInt16 = 0
    }

    /// The address that the client connected to.
    public let address: MQTTConfiguration.Server

    let link: InMemoryLink
    let patience: Duration
    let state = Watched(State())

    init(_ link: InMemoryLink, to address: MQTTConfiguration.Server, patience: Duration) {
        self.link = link
        self.address = address
        self.patience = patience
    }

    // MARK: Connecting

    /// Reads CONNECT and accepts it with CONNACK.
    ///
    /// - Parameter sessionPresent: Whether the server has a session of the client. Default: `false`.
    /// - Returns: The client identifier.
    /// - Throws: ``ScriptError`` if another packet arrives, or none in time.
    @discardableResult
    public func acceptConnect(sessionPresent: Bool = false) async throws -> String {
        try await self.answerConnect(ConnAck(sessionPresent: sessionPresent)).clientIdentifier
    }

    /// Reads CONNECT, refuses it with CONNACK, and closes the connection.
    ///
    /// - Parameter reasonCode: The reason code of CONNACK.
    /// - Returns: The client identifier.
    /// - Throws: ``ScriptError`` if another packet arrives, or none in time.
    @discardableResult
    public func refuseConnect(_ reasonCode: ReasonCode) async throws -> String {
        let connect = try await self.answerConnect(ConnAck(reasonCode: reasonCode))
        self.close()
        return connect.clientIdentifier
    }

    // MARK: Messages

    /// Reads PUBLISH and acknowledges it; at QoS 2, completes the exchange.
    ///
    /// - Parameter reasonCode: The reason code at QoS 1 and 2. Default: success.
    /// - Returns: The message.
    /// - Throws: ``ScriptError`` if another packet arrives, or none in time.
    @discardableResult
    public func receivePublish(_ reasonCode: ReasonCode = .success) async throws -> MQTTMessage {
        let packet = try await self.receivePublishPacket()
        guard let topic = packet.topic else { throw ScriptError("PUBLISH has a topic alias and no topic.") }
        if let id = packet.packetID {
            let acknowledgement = Acknowledgement(id, reasonCode: reasonCode)
            try self.send(packet.qos == .atLeastOnce ? .puback(acknowledgement) : .pubrec(acknowledgement))
            if packet.qos == .exactlyOnce, !reasonCode.isFailure {
                try await self.expect(.pubrel(Acknowledgement(id)))
                try self.send(.pubcomp(Acknowledgement(id)))
            }
        }
        return MQTTMessage(
            topic: topic, payload: packet.payload, qos: packet.qos, isRetained: packet.retain,
            properties: packet.properties)
    }

    /// Sends a message to the client. At QoS 1 and 2, call ``receiveAcknowledgement()`` afterwards.
    ///
    /// - Throws: ``ScriptError`` if the topic name is not valid, or a property is not allowed.
    public func publish(
        _ payload: some MQTTPayload, to topic: String, qos: QoS = .atMostOnce, retain: Bool = false,
        properties: MessageProperties = MessageProperties()
    ) throws {
        let id: PacketID? = qos == .atMostOnce ? nil : self.makePacketID()
        let name: TopicName
        do { name = try TopicName(topic) } catch { throw ScriptError("\(error)") }
        try self.send(
            .publish(
                Publish(
                    topic: name, payload: payload.mqttPayload, qos: qos, retain: retain, packetID: id,
                    properties: properties)))
    }

    /// Reads the acknowledgement of a message: PUBACK, or the whole exchange at QoS 2.
    ///
    /// - Returns: The client's reason code.
    /// - Throws: ``ScriptError`` if another packet arrives, or none in time.
    @discardableResult
    public func receiveAcknowledgement() async throws -> ReasonCode {
        switch try await self.receive() {
        case .puback(let packet): return packet.reasonCode
        case .pubrec(let packet):
            guard !packet.reasonCode.isFailure else { return packet.reasonCode }
            try self.send(.pubrel(Acknowledgement(packet.packetID)))
            try await self.expect(.pubcomp(Acknowledgement(packet.packetID)))
            return packet.reasonCode
        case let other: throw ScriptError("Expected an acknowledgement, but received \(other).")
        }
    }

    // MARK: Subscriptions

    /// Reads SUBSCRIBE and grants the requested QoS for each filter.
    ///
    /// - Returns: The topic filters.
    /// - Throws: ``ScriptError`` if another packet arrives, or none in time.
    @discardableResult
    public func grantSubscribe() async throws -> [TopicFilter] {
        let packet = try await self.receiveSubscribe()
        let codes = packet.subscriptions.map { ReasonCode(rawValue: $0.options.qos.rawValue) }
        try self.send(.suback(SubAck(packet.packetID, codes)))
        return packet.subscriptions.map(\.filter)
    }

    /// Reads SUBSCRIBE and refuses all filters.
    ///
    /// - Parameter reasonCode: The reason code for each filter. Default: not authorized.
    /// - Returns: The topic filters.
    /// - Throws: ``ScriptError`` if another packet arrives, or none in time.
    @discardableResult
    public func refuseSubscribe(_ reasonCode: ReasonCode = .notAuthorized) async throws -> [TopicFilter] {
        let packet = try await self.receiveSubscribe()
        try self.send(.suback(SubAck(packet.packetID, packet.subscriptions.map { _ in reasonCode })))
        return packet.subscriptions.map(\.filter)
    }

    /// Reads UNSUBSCRIBE and confirms it.
    ///
    /// - Returns: The topic filters.
    /// - Throws: ``ScriptError`` if another packet arrives, or none in time.
    @discardableResult
    public func confirmUnsubscribe() async throws -> [TopicFilter] {
        guard case .unsubscribe(let packet) = try await self.receive() else {
            throw ScriptError("Expected UNSUBSCRIBE, but received another packet.")
        }
        try self.send(.unsuback(UnsubAck(packet.packetID, packet.filters.map { _ in .success })))
        return packet.filters
    }

    // MARK: The end

    /// Reads DISCONNECT.
    ///
    /// - Returns: The client's reason code.
    /// - Throws: ``ScriptError`` if another packet arrives, or none in time.
    @discardableResult
    public func receiveDisconnect() async throws -> ReasonCode {
        switch try await self.receive() {
        case .disconnect(let packet): return packet.reasonCode
        case let other: throw ScriptError("Expected DISCONNECT, but received \(other).")
        }
    }

    /// Waits until the connection is closed.
    ///
    /// - Throws: ``ScriptError`` if a packet arrives instead, or the connection stays open.
    public func expectClosed() async throws {
        let packet: Packet? = try await self.state.wait(for: "the end of the connection", within: self.patience) {
            state in
            if !state.received.isEmpty { return .some(state.received.removeFirst()) }
            return state.isClosed ? .some(nil) : nil
        }
        if let packet { throw ScriptError("Expected the end of the connection, but received \(packet).") }
    }

    /// Closes the connection without DISCONNECT, like a server that crashes.
    public func close() { self.link.close() }

    // MARK: Bytes

    /// Sends any bytes so that they arrive in one read.
    public func send(bytes: [UInt8]) { self.write(ByteBuffer(bytes: bytes)) }

    /// Stops reading, to apply back-pressure to the client.
    public func stopReading() { self.setReading(false) }

    /// Resumes reading.
    public func resumeReading() { self.setReading(true) }

    private func setReading(_ isOn: Bool) {
        self.link.eventLoop.execute { [link] in link.setReading(isOn) }
    }

    func write(_ bytes: ByteBuffer) {
        self.link.eventLoop.execute { [link] in link.write(bytes) }
    }
}

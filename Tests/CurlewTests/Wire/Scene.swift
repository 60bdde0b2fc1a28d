import Curlew
import CurlewCore
import CurlewTesting
import NIOCore
import Testing

/// A time limit for what no script's deadline covers: a test that hangs fails.
extension Trait where Self == TimeLimitTrait {
    static var bounded: Self { .timeLimit(.minutes(2)) }
}

extension PacketID {
    /// For literals in tests, which are never 0.
    init(literal value: UInt16) {
        guard let id = PacketID(value) else { fatalError("A test uses 0 as a packet identifier.") }
        self = id
    }
}

extension Acknowledgement {
    init(_ id: UInt16, _ reasonCode: ReasonCode = .success) { self.init(PacketID(literal: id), reasonCode: reasonCode) }
}

extension Publish {
    /// A PUBLISH in short form; a packet identifier makes it QoS 1 unless `qos` says otherwise.
    init(
        _ text: String, _ topic: String?, id: UInt16? = nil, qos: QoS? = nil, retain: Bool = false, dup: Bool = false,
        alias: UInt16? = nil, properties: [Property] = []
    ) throws {
        self.init(
            topic: try topic.map { try TopicName($0) }, topicAlias: alias, payload: ByteBuffer(string: text),
            qos: qos ?? (id == nil ? .atMostOnce : .atLeastOnce), retain: retain, dup: dup,
            packetID: id.map { PacketID(literal: $0) }, properties: Properties(properties))
    }

    var text: String { String(buffer: self.payload) }
}

extension MQTTConfiguration {
    /// Makes the client reconnect without a delay.
    mutating func reconnectAtOnce() {
        self.reconnect.minimumDelay = .zero
        self.reconnect.initialDelay = .nanoseconds(1)
        self.reconnect.maximumDelay = .nanoseconds(1)
    }
}

extension ScriptedServer {
    /// Connects a client to a server that sends this CONNACK.
    func connectedClient(
        _ connack: ConnAck, clock: TestClock? = nil, _ configure: (inout MQTTConfiguration) -> Void = { _ in }
    ) async throws -> (client: MQTTClient, connection: ScriptedConnection, connect: Connect) {
        let client = try self.makeClient(clock: clock, configure)
        async let connected = client.connect()
        let connection = try await self.accept()
        let connect = try await connection.answerConnect(connack)
        _ = try await connected
        return (client, connection, connect)
    }

    /// Connects a client to a server with these CONNACK properties.
    func connectedClient(
        properties: [Property], clock: TestClock? = nil, _ configure: (inout MQTTConfiguration) -> Void = { _ in }
    ) async throws -> (client: MQTTClient, connection: ScriptedConnection) {
        let (client, connection, _) = try await self.connectedClient(
            ConnAck(properties: Properties(properties)), clock: clock, configure)
        return (client, connection)
    }

    /// Accepts the next connection and its CONNECT.
    @discardableResult
    func acceptAgain(sessionPresent: Bool = false) async throws -> ScriptedConnection {
        let connection = try await self.accept()
        try await connection.acceptConnect(sessionPresent: sessionPresent)
        return connection
    }
}

extension ScriptedConnection {
    /// Subscribes the client and grants the subscription.
    func subscribe(
        _ client: MQTTClient, to filter: String, options: SubscriptionOptions = SubscriptionOptions(),
        queue: MQTTConfiguration.SubscriptionQueue? = nil,
        acknowledgement: MQTTConfiguration.AcknowledgementPolicy? = nil
    ) async throws -> MQTTSubscription {
        async let subscription = client.subscribe(
            to: filter, options: options, queue: queue, acknowledgement: acknowledgement)
        try await self.grantSubscribe()
        return try await subscription
    }

    /// Waits until the client has processed everything sent so far: it must answer a PUBREL with an unknown packet
    /// identifier.
    func sync(_ id: UInt16 = 60_000) async throws {
        try self.send(.pubrel(Acknowledgement(id)))
        let code: ReasonCode = self.version == .v5_0 ? .packetIdentifierNotFound : .success
        try await self.expect(.pubcomp(Acknowledgement(id, code)))
    }
}

/// Returns the error of a call that must throw.
func failure<Result>(
    _ body: () async throws -> Result, sourceLocation: SourceLocation = #_sourceLocation
) async throws -> MQTTError {
    do {
        _ = try await body()
    } catch let error as MQTTError {
        return error
    }
    Issue.record("Nothing was thrown.", sourceLocation: sourceLocation)
    throw CancellationError()
}

/// Waits for the first matching event.
func first<Events: AsyncSequence<MQTTEvent, Never>, Result>(
    of events: Events, _ match: (MQTTEvent) -> Result?
) async throws -> Result {
    for await event in events {
        if let result = match(event) { return result }
    }
    throw CancellationError()
}

import Curlew
import CurlewCore
import CurlewTesting
import NIOCore
import Testing

/// Limits what no deadline of a script bounds: a test that hangs is one that fails.
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
    /// A PUBLISH as tests write it; a packet identifier makes it QoS 1 unless `qos` says otherwise.
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
    /// Connections are made anew at once.
    mutating func reconnectAtOnce() {
        self.reconnect.minimumDelay = .zero
        self.reconnect.initialDelay = .nanoseconds(1)
        self.reconnect.maximumDelay = .nanoseconds(1)
    }
}

extension ScriptedServer {
    /// A connected client whose server says this in CONNACK.
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

    /// A connected client whose server has these properties.
    func connectedClient(
        properties: [Property], clock: TestClock? = nil, _ configure: (inout MQTTConfiguration) -> Void = { _ in }
    ) async throws -> (client: MQTTClient, connection: ScriptedConnection) {
        let (client, connection, _) = try await self.connectedClient(
            ConnAck(properties: Properties(properties)), clock: clock, configure)
        return (client, connection)
    }

    /// The next connection, whose CONNECT is accepted.
    @discardableResult
    func acceptAgain(sessionPresent: Bool = false) async throws -> ScriptedConnection {
        let connection = try await self.accept()
        try await connection.acceptConnect(sessionPresent: sessionPresent)
        return connection
    }
}

extension ScriptedConnection {
    /// A granted subscription of the client.
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

    /// Sees to it that the client has done all that was sent to it: it answers a PUBREL of an identifier that it does not know.
    func sync(_ id: UInt16 = 60_000) async throws {
        try self.send(.pubrel(Acknowledgement(id)))
        let code: ReasonCode = self.version == .v5_0 ? .packetIdentifierNotFound : .success
        try await self.expect(.pubcomp(Acknowledgement(id, code)))
    }
}

/// The error of a call that must throw one.
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

/// Waits for the first event that is wanted.
func first<Events: AsyncSequence<MQTTEvent, Never>, Result>(
    of events: Events, _ match: (MQTTEvent) -> Result?
) async throws -> Result {
    for await event in events {
        if let result = match(event) { return result }
    }
    throw CancellationError()
}

import Curlew
import CurlewCore
import CurlewTesting
import CurlewTransport
import NIOCore
import Synchronization
import Testing

@Suite("Connecting", .bounded)
struct ConnectWireTests {
    let server = ScriptedServer(patience: .seconds(60))

    @Test("CONNECT is the first packet and reflects the configuration [MQTT-3.1.0-1]")
    func connect() async throws {
        let (_, _, connect) = try await self.server.connectedClient(ConnAck()) { configuration in
            configuration.clientIdentifier = .given("kitchen")
            configuration.connection.keepAlive = .seconds(30)
            configuration.credentials = .password(username: "me", password: "secret")
            configuration.session.expiry = .after(.seconds(5))
            configuration.session.receiveMaximum = 7
            configuration.session.maximumPacketSize = 1000
            configuration.session.topicAliasMaximum = 3
            configuration.session.requestResponseInformation = true
            configuration.session.requestProblemInformation = false
            configuration.session.userProperties = [UserProperty("a", "b")]
        }
        #expect(
            connect
                == Connect(
                    cleanStart: true, keepAlive: 30, clientIdentifier: "kitchen", username: "me",
                    password: "secret",
                    properties: Properties([
                        .sessionExpiryInterval(5), .receiveMaximum(7), .maximumPacketSize(1000), .topicAliasMaximum(3),
                        .requestResponseInformation(true), .requestProblemInformation(false),
                        .userProperty(UserProperty("a", "b")),
                    ])))
    }

    @Test("CONNECT contains the will with its delay and properties [MQTT-3.1.2-9]")
    func will() async throws {
        var properties = Properties()
        properties.contentType = "text/plain"
        let (_, _, connect) = try await self.server.connectedClient(ConnAck()) { configuration in
            configuration.will = .init(
                topic: "gone", text: "kitchen", qos: .atLeastOnce, retain: true, delay: .seconds(9),
                properties: properties)
        }
        #expect(
            connect.will
                == Connect.Will(
                    topic: try TopicName("gone"), payload: ByteBuffer(string: "kitchen"), qos: .atLeastOnce,
                    retain: true, properties: Properties([.contentType("text/plain"), .willDelayInterval(9)])))
    }

    @Test("Before 5.0, CONNECT and its will have no properties", arguments: [ProtocolVersion.v3_1, .v3_1_1])
    func olderConnect(version: ProtocolVersion) async throws {
        var properties = Properties()
        properties.contentType = "text/plain"
        let (client, connection, connect) = try await self.server.connectedClient(ConnAck()) { configuration in
            configuration.connection.version = .exactly(version)
            configuration.will = .init(topic: "gone", text: "kitchen", properties: properties)
        }
        #expect(connect.version == version)
        #expect(connect.properties.isEmpty)
        #expect(connect.will?.properties.isEmpty == true)
        #expect(client.protocolVersion == version)
        try await client.publish("x", to: "t")
        try await connection.expect(.publish(Publish("x", "t")))
    }

    @Test("A refusal throws with the server's reason code, without another attempt [MQTT-4.13.2-1]")
    func refused() async throws {
        let client = try self.server.makeClient()
        async let error = failure { try await client.connect() }
        let connection = try await self.server.accept()
        try await connection.refuseConnect(.badUserNameOrPassword)
        let thrown = try await error
        #expect(thrown.code == .connectionRefused)
        #expect(thrown.reasonCode == .badUserNameOrPassword)
        try await connection.expectClosed()
        #expect(client.state == .disconnected)
        #expect(self.server.waitingCount == 0)
    }

    @Test("Connecting fails without a listener, and can be repeated")
    func nobodyListens() async throws {
        self.server.stopListening(at: self.server.addresses[0])
        let client = try self.server.makeClient()
        let error = try await failure { try await client.connect() }
        #expect(error.code == .connectionFailed)
        self.server.startListening(at: self.server.addresses[0])
        async let connected = client.connect()
        try await self.server.acceptAgain()
        _ = try await connected
        #expect(client.state == .connected)
    }

    @Test("A server that does not answer CONNECT times out")
    func noAnswer() async throws {
        let clock = TestClock()
        let client = try self.server.makeClient(clock: clock) { $0.connection.version = .exactly(.v5_0) }
        async let error = failure { try await client.connect() }
        let connection = try await self.server.accept()
        _ = try await connection.receiveConnect()
        try await clock.advanceToSleeper(within: .seconds(10))
        #expect(try await error.code == .timedOut)
        try await connection.expectClosed()
    }

    @Test("Automatic version: 3.1.1 is tried if the server does not answer 5.0, within one timeout")
    func silentTo5() async throws {
        let clock = TestClock()
        let client = try self.server.makeClient(clock: clock)
        async let connected = client.connect()
        let first = try await self.server.accept()
        #expect(try await first.receiveConnect().version == .v5_0)
        #expect(try await clock.advanceToSleeper(within: .seconds(5)) == .seconds(5))
        try await first.expectClosed()
        let second = try await self.server.accept()
        #expect(try await second.answerConnect(ConnAck()).version == .v3_1_1)
        _ = try await connected
        #expect(client.protocolVersion == .v3_1_1)
    }

    @Test("Connecting to a server that answers neither version fails within one timeout")
    func silentToBoth() async throws {
        let clock = TestClock()
        let client = try self.server.makeClient(clock: clock)
        async let error = failure { try await client.connect() }
        for version in [ProtocolVersion.v5_0, .v3_1_1] {
            #expect(try await self.server.accept().receiveConnect().version == version)
            try await clock.advanceToSleeper(within: .seconds(5))
        }
        #expect(try await error.code == .timedOut)
        #expect(self.server.waitingCount == 0)
    }

    @Test(
        "A server that answers in another protocol is recognized, and tried only once",
        arguments: [
            ([0x15, 3, 3, 0, 2, 2, 70], "mqtts://"), (Array("HTTP/1.1 400 Bad Request\r\n".utf8), "HTTP or WebSocket"),
            (Array("SSH-2.0-x\r\n".utf8), "SSH"), (Array("220 smtp\r\n".utf8), "1883"),
        ] as [([UInt8], String)])
    func otherProtocol(bytes: [UInt8], hint: String) async throws {
        let client = try self.server.makeClient()
        async let error = failure { try await client.connect() }
        let connection = try await self.server.accept()
        _ = try await connection.receiveConnect()
        connection.send(bytes: bytes)
        let thrown = try await error
        #expect(thrown.code == .connectionFailed)
        #expect(thrown.message.contains(hint), "\(thrown)")
        try await connection.expectClosed()
        #expect(self.server.waitingCount == 0)
    }

    @Test("A packet before CONNACK ends the attempt")
    func packetBeforeConnack() async throws {
        let client = try self.server.makeClient()
        async let error = failure { try await client.connect() }
        let connection = try await self.server.accept()
        _ = try await connection.receiveConnect()
        try connection.send(.publish(Publish("x", "t")))
        #expect(try await error.code == .protocolViolation)
        try await connection.expectClosed()
    }

    @Test("Session Present after a clean start is a protocol violation [MQTT-3.2.2-4]")
    func sessionNotAskedFor() async throws {
        let client = try self.server.makeClient()
        async let error = failure { try await client.connect() }
        let connection = try await self.server.accept()
        try await connection.acceptConnect(sessionPresent: true)
        let thrown = try await error
        #expect(thrown.code == .protocolViolation)
        try await connection.expectClosed()
    }

    @Test("The first connection is a clean start; reconnections resume the session")
    func cleanStart() async throws {
        let (client, connection, first) = try await self.server.connectedClient(ConnAck()) { $0.reconnectAtOnce() }
        #expect(first.cleanStart)
        connection.close()
        let second = try await self.server.accept().answerConnect(ConnAck(sessionPresent: true))
        #expect(!second.cleanStart)
        #expect(second.clientIdentifier == first.clientIdentifier)
        _ = client
    }

    @Test("An assigned identifier is kept through reconnections [MQTT-3.1.3-2]")
    func assignedIdentifier() async throws {
        let (client, connection, first) = try await self.server.connectedClient(
            ConnAck(properties: Properties([.assignedClientIdentifier("from-server")]))
        ) { configuration in
            configuration.reconnectAtOnce()
            configuration.clientIdentifier = .assignedByServer
        }
        #expect(first.clientIdentifier.isEmpty)
        #expect(client.clientIdentifier == "from-server")
        connection.close()
        #expect(try await self.server.accept().acceptConnect() == "from-server")
    }

    @Test("An assigned identifier is ignored by a client that has its own")
    func unwantedIdentifier() async throws {
        let (client, connection, _) = try await self.server.connectedClient(
            ConnAck(properties: Properties([.assignedClientIdentifier("somebody-else")]))
        ) { configuration in
            configuration.reconnectAtOnce()
            configuration.clientIdentifier = .given("mine")
        }
        #expect(client.clientIdentifier == "mine")
        connection.close()
        #expect(try await self.server.accept().acceptConnect() == "mine")
    }

    @Test("Credentials are requested for each connection")
    func credentialsProvider() async throws {
        let count = Mutex(0)
        let (client, connection, first) = try await self.server.connectedClient(ConnAck()) { configuration in
            configuration.reconnectAtOnce()
            configuration.credentials = .provider {
                let number = count.withLock { count in
                    count += 1
                    return count
                }
                return .init(username: "me", password: .init("token \(number)"))
            }
        }
        #expect(first.password == "token 1")
        connection.close()
        let second = try await self.server.accept().answerConnect(ConnAck())
        #expect(second.password == "token 2")
        _ = client
    }

    @Test("Credentials that fail make the attempt fail before anything is sent")
    func credentialsFail() async throws {
        let client = try self.server.makeClient { configuration in
            configuration.credentials = .provider { throw CancellationError() }
        }
        let error = try await failure { try await client.connect() }
        #expect(error.code == .authenticationFailed)
        #expect(self.server.waitingCount == 0)
    }

    // MARK: Versions

    enum Refusal: CaseIterable {
        case reasonCode
        case returnCode
        case closed
    }

    @Test("Automatic version: 3.1.1 is tried if the server refuses 5.0", arguments: Refusal.allCases)
    func fallback(refusal: Refusal) async throws {
        let client = try self.server.makeClient()
        async let connected = client.connect()
        let first = try await self.server.accept()
        #expect(try await first.receiveConnect().version == .v5_0)
        switch refusal {
        case .reasonCode:
            try first.send(.connack(ConnAck(reasonCode: .unsupportedProtocolVersion)))
            first.close()
        case .returnCode:
            first.send(bytes: [0x20, 2, 0, 1])  // as a server that supports only 3.1.1 answers
            first.close()
        case .closed:
            first.close()
        }
        let second = try await self.server.accept()
        #expect(try await second.answerConnect(ConnAck()).version == .v3_1_1)
        _ = try await connected
        #expect(client.protocolVersion == .v3_1_1)
    }

    @Test("With an exact version, no other is tried")
    func noFallback() async throws {
        let client = try self.server.makeClient { $0.connection.version = .exactly(.v5_0) }
        async let error = failure { try await client.connect() }
        try await self.server.accept().refuseConnect(.unsupportedProtocolVersion)
        #expect(try await error.reasonCode == .unsupportedProtocolVersion)
        #expect(self.server.waitingCount == 0)
    }

    @Test("A refusal of 3.1.1 throws with the corresponding reason code")
    func olderRefusal() async throws {
        let client = try self.server.makeClient { $0.connection.version = .exactly(.v3_1_1) }
        async let error = failure { try await client.connect() }
        let connection = try await self.server.accept()
        _ = try await connection.receiveConnect()
        connection.send(bytes: [0x20, 2, 0, 5])
        connection.close()
        #expect(try await error.reasonCode == .notAuthorized)
    }

    // MARK: Several servers

    @Test("The servers are tried in order, each once")
    func severalServers() async throws {
        let server = ScriptedServer(at: [.mqtt("a"), .mqtt("b"), .mqtt("c")])
        server.stopListening(at: .mqtt("a"))
        let client = try server.makeClient()
        async let connected = client.connect()
        let second = try await server.accept()
        #expect(second.address == .mqtt("b"))
        try await second.refuseConnect(.serverBusy)
        let third = try await server.acceptAgain()
        #expect(third.address == .mqtt("c"))
        _ = try await connected
    }

    @Test("A client follows a redirection in CONNACK", arguments: [ReasonCode.useAnotherServer, .serverMoved])
    func redirectedByConnack(code: ReasonCode) async throws {
        self.server.startListening(at: .mqtt("other", port: 1999))
        let client = try self.server.makeClient()
        async let connected = client.connect()
        let first = try await self.server.accept()
        try await first.answerConnect(
            ConnAck(reasonCode: code, properties: Properties([.serverReference("other:1999")])))
        first.close()
        let second = try await self.server.acceptAgain()
        #expect(second.address == .mqtt("other", port: 1999))
        _ = try await connected
    }

    @Test("A client follows a redirection in DISCONNECT")
    func redirectedByDisconnect() async throws {
        self.server.startListening(at: .mqtt("other"))
        let (client, connection) = try await self.server.connectedClient()
        try connection.send(
            .disconnect(
                Disconnect(reasonCode: .useAnotherServer, properties: Properties([.serverReference("other")]))))
        let second = try await self.server.acceptAgain()
        #expect(second.address == .mqtt("other"))
        _ = client
    }

    // MARK: Staying connected

    @Test("connect(retrying: true) tries until there is a connection")
    func retries() async throws {
        let client = try self.server.makeClient { $0.reconnectAtOnce() }
        async let connected = client.connect(retrying: true)
        for _ in 0..<3 { try await self.server.accept().refuseConnect(.serverUnavailable) }
        try await self.server.acceptAgain()
        _ = try await connected
    }

    @Test("connect(retrying: true) gives up at once on an error that would repeat")
    func notWorthRetrying() async throws {
        let client = try self.server.makeClient { configuration in
            configuration.reconnectAtOnce()
            configuration.credentials = .provider {
                .init(username: String(repeating: "x", count: 70_000), password: nil)
            }
        }
        let error = try await failure { try await client.connect(retrying: true) }
        #expect(error.code == .invalidConfiguration)
    }

    @Test("The delays before reconnections follow the clock")
    func backoff() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock) { configuration in
            configuration.reconnect.initialDelay = .seconds(1)
            configuration.reconnect.minimumDelay = .seconds(1)
            configuration.reconnect.maximumDelay = .seconds(1)
            configuration.connection.keepAlive = .zero
        }
        connection.close()
        for _ in 0..<3 {
            #expect(try await clock.advanceToSleeper(within: .seconds(1)) == .seconds(1))
            try await self.server.accept().refuseConnect(.serverUnavailable)
        }
        try await clock.advanceToSleeper(within: .seconds(1))
        try await self.server.acceptAgain()
        _ = client
    }

    @Test("When all tries are used up, everything that waits fails")
    func triesUsedUp() async throws {
        let (client, connection) = try await self.server.connectedClient { configuration in
            configuration.reconnectAtOnce()
            configuration.reconnect.maximumAttempts = 2
        }
        let subscription = try await connection.subscribe(client, to: "t")
        async let error = failure { try await client.publish("x", to: "t", qos: .atLeastOnce) }
        _ = try await connection.receivePublishPacket()
        self.server.stopListening(at: self.server.addresses[0])
        connection.close()
        let thrown = try await error
        #expect(thrown.delivery == .unknown)
        let end = try await failure { for try await _ in subscription {} }
        #expect(end.code == .connectionFailed && end.message.contains("the last of the 2 tries"))
        #expect(client.state == .disconnected)
    }

    @Test("Each reconnecting event contains the reason")
    func reasons() async throws {
        let client = try self.server.makeClient { $0.reconnectAtOnce() }
        let events = client.events
        async let connected = client.connect()
        let connection = try await self.server.acceptAgain()
        _ = try await connected
        connection.close()
        try await self.server.accept().refuseConnect(.serverUnavailable)
        try await self.server.acceptAgain()
        var reasons: [MQTTError.Code] = []
        for await event in events {
            guard case .reconnecting(let attempt, _, let error) = event else { continue }
            reasons.append(error.code)
            if attempt == 2 { break }
        }
        #expect(reasons == [.connectionClosed, .connectionRefused])
    }

    @Test("All allowed tries are made after a short first connection")
    func triesAfterShortConnection() async throws {
        let (client, connection) = try await self.server.connectedClient { configuration in
            configuration.reconnectAtOnce()
            configuration.reconnect.maximumAttempts = 12
        }
        async let end = failure { try await client.waitUntilStopped() }
        connection.close()
        for _ in 0..<12 { try await self.server.accept().refuseConnect(.serverUnavailable) }
        #expect(try await end.reasonCode == .serverUnavailable)
        #expect(self.server.waitingCount == 0)
    }

    @Test("With reconnection disabled, a lost connection stops the client")
    func noReconnect() async throws {
        let (client, connection) = try await self.server.connectedClient { $0.reconnect = .disabled }
        async let end = failure { try await client.waitUntilStopped() }
        connection.fail()
        #expect(try await end.code == .connectionClosed)
        #expect(self.server.waitingCount == 0)
    }

    @Test("A client whose session was taken over does not reconnect")
    func takenOver() async throws {
        let (client, connection) = try await self.server.connectedClient { $0.reconnectAtOnce() }
        async let end = failure { try await client.waitUntilStopped() }
        try connection.send(.disconnect(Disconnect(reasonCode: .sessionTakenOver)))
        #expect(try await end.code == .sessionTakenOver)
        try await connection.expectClosed()
        #expect(client.state == .disconnected)
        #expect(self.server.waitingCount == 0)
    }

    @Test("Two calls of connect make one connection")
    func twoCalls() async throws {
        let client = try self.server.makeClient()
        async let first = client.connect()
        async let second = client.connect()
        try await self.server.acceptAgain()
        _ = try await first
        _ = try await second
        #expect(self.server.waitingCount == 0)
    }
}

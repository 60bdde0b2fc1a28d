import CurlewBroker
import CurlewCore
import CurlewTransport
import NIOCore
import Testing

/// Allows every client with a user name, without a password.
struct AnyName: MQTTBrokerAuthenticator {
    func authenticate(_ attempt: MQTTConnectionAttempt) async throws -> MQTTAuthenticationDecision {
        attempt.client.username == nil ? .abstain : .allow
    }
}

@Suite("Client identifiers", .timeLimit(.minutes(1)))
struct IdentifierWireTests {
    private func keep(as user: String? = nil) -> (inout Connect) -> Void {
        {
            $0.cleanStart = false
            $0.username = user
            $0.properties = Properties([.sessionExpiryInterval(1000)])
        }
    }

    private func refusal(_ peers: PeerFactory, _ connect: Connect) async throws -> ReasonCode {
        let peer = try await peers.open()
        try await peer.send(.connect(connect))
        guard case .connack(let ack)? = try await peer.receiveEnd() else { throw PeerError.closed }
        return ack.reasonCode
    }

    // MARK: Bytes

    @Test("Client identifiers that differ only in their bytes are two clients with separate sessions")
    func bytes() async throws {
        let store = MQTTMemoryStore()
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        try await withPeers({ $0.store = store }) { peers in
            let first = try await peers.connect(composed, self.keep())
            _ = try await first.subscribe("t")
            first.close()
            let publisher = try await peers.connect("p")
            #expect(try await publisher.deliver("for the first", to: "t") == .success)
            let second = try await peers.connect(decomposed, self.keep())
            #expect(!second.connAck.sessionPresent)
            try await second.expectNothing()
            let again = try await peers.connect(composed, self.keep())
            #expect(again.connAck.sessionPresent)
            #expect(String(buffer: try await again.receivePublish().payload) == "for the first")
            try await second.expectNothing()
            #expect(peers.broker.clients.count == 3)
            #expect(peers.broker.disconnect(decomposed))
            guard case .disconnect? = try await second.receiveEnd() else { throw PeerError.closed }
        }
        #expect(store.snapshot.sessions.keys.sorted() == [ExactText(decomposed), ExactText(composed)])
    }

    @Test("User names that differ only in their bytes are different users")
    func userBytes() async throws {
        try await withPeers {
            $0.authenticators = [AnyName()]
            $0.behavior.identifierConflict = .refuseClient
        } _: { peers in
            _ = try await peers.connect("a", self.keep(as: "Ren\u{E9}"))
            let other = Connect(cleanStart: false, clientIdentifier: "a", username: "Rene\u{301}")
            #expect(try await self.refusal(peers, other) == .clientIdentifierNotValid)
        }
    }

    // MARK: Another user's session

    @Test("Another user's session ends, and none of it is handed over", arguments: [true, false])
    func replaced(isConnected: Bool) async throws {
        try await withPeers {
            $0.authenticators = [AnyName()]
            $0.listeners[0].anonymous = .allowed
        } _: { peers in
            let squatter = try await peers.connect("kitchen-7", self.keep())
            _ = try await squatter.subscribe("t")
            if !isConnected { squatter.close() }
            let publisher = try await peers.connect("p") { $0.username = "p" }
            if !isConnected { _ = try await publisher.deliver("foreign", to: "t") }
            let rightful = try await peers.connect("kitchen-7", self.keep(as: "kitchen"))
            #expect(!rightful.connAck.sessionPresent)
            if isConnected {
                guard case .disconnect(let end)? = try await squatter.receiveEnd() else { throw PeerError.closed }
                #expect(end.reasonCode == .sessionTakenOver)
            }
            #expect(try await publisher.deliver("nobody's", to: "t") == .noMatchingSubscribers)
            try await rightful.expectNothing()
            #expect(
                peers.broker.sessions.filter { $0.client.identifier == "kitchen-7" }.map(\.client.username) == [
                    "kitchen"
                ])
        }
    }

    @Test("The will of a replaced session is published, as for any session that ends")
    func willOfReplaced() async throws {
        let topic = try TopicName("will")
        try await withPeers({ $0.authenticators = [AnyName()] }) { peers in
            let watcher = try await peers.connect("watcher") { $0.username = "w" }
            _ = try await watcher.subscribe("will")
            let former = try await peers.connect("a") {
                self.keep(as: "former")(&$0)
                $0.will = Connect.Will(
                    topic: topic, payload: ByteBuffer(string: "gone"),
                    properties: Properties([.willDelayInterval(500)]))
            }
            former.close()
            _ = try await peers.connect("a", self.keep(as: "renamed"))
            #expect(String(buffer: try await watcher.receivePublish().payload) == "gone")
        }
    }

    @Test(
        "The identifier conflict setting decides who may take the identifier of another user's session",
        arguments: [
            (.replaceSession, nil, "u", true), (.replaceSession, "u", nil, true), (.replaceSession, "u", "v", true),
            (.replaceUnlessAnonymous, nil, "u", true), (.replaceUnlessAnonymous, "u", nil, false),
            (.replaceUnlessAnonymous, "u", "v", true), (.refuseClient, nil, "u", false),
            (.refuseClient, "u", "v", false),
            (.refuseClient, "u", "u", true),
        ] as [(MQTTBrokerConfiguration.Behavior.IdentifierConflict, String?, String?, Bool)])
    func conflict(
        rule: MQTTBrokerConfiguration.Behavior.IdentifierConflict, holder: String?, newcomer: String?, isLetIn: Bool
    ) async throws {
        try await withPeers {
            $0.authenticators = [AnyName()]
            $0.listeners[0].anonymous = .allowed
            $0.behavior.identifierConflict = rule
        } _: { peers in
            _ = try await peers.connect("a", self.keep(as: holder))
            if isLetIn {
                let peer = try await peers.connect("a", self.keep(as: newcomer))
                #expect(peer.connAck.sessionPresent == (holder == newcomer))
            } else {
                let connect = Connect(cleanStart: false, clientIdentifier: "a", username: newcomer)
                #expect(try await self.refusal(peers, connect) == .clientIdentifierNotValid)
            }
        }
    }

    @Test("With the user name as client identifier, users cannot collide, and a client without a user name is refused")
    func usernameAsIdentifier() async throws {
        try await withPeers {
            $0.authenticators = [AnyName()]
            $0.listeners[0].anonymous = .allowed
            $0.listeners[0].usesUsernameAsClientIdentifier = true
        } _: { peers in
            let one = try await peers.connect("same") { $0.username = "one" }
            let two = try await peers.connect("same") { $0.username = "two" }
            try await one.expectNothing()
            try await two.expectNothing()
            #expect(peers.broker.clients.map(\.identifier).sorted() == ["one", "two"])
            #expect(try await self.refusal(peers, Connect(clientIdentifier: "one")) == .notAuthorized)
            let assigned = try await peers.connect("") { $0.username = "three" }
            let identifier = assigned.connAck.properties.value {
                if case .assignedClientIdentifier(let value) = $0 { value } else { nil }
            }
            #expect(identifier == "three")
        }
    }

    // MARK: Unverified user names

    private func start(_ change: (inout MQTTBrokerConfiguration) throws -> Void) async throws {
        var configuration = MQTTBrokerConfiguration(listeners: [.tcp(port: 0)])
        configuration.listeners[0].name = "front door"
        try change(&configuration)
        let broker = MQTTBroker(configuration)
        try await broker.start()
        await broker.stop()
    }

    @Test(
        "Rules for user names are rejected if no authenticator verifies user names",
        arguments: [
            ("topic read a\nuser kitchen\ntopic b\n", 2, "user kitchen"),
            ("pattern read a/%c\npattern read a/%u/#\n", 2, "pattern read a/%u/#"),
        ])
    func rulesWithoutNames(text: String, line: Int, rule: String) async throws {
        let error = await #expect(throws: MQTTBrokerError.self) {
            try await self.start {
                $0.authorizers = [try MQTTAccessFile(text: text)]
                $0.listeners[0].anonymous = .allowed
            }
        }
        #expect(error?.code == .invalidConfiguration)
        #expect(
            error?.message
                == "The access rules, line \(line): '\(rule)' never applies, since nobody verifies user names at the listener "
                + "front door; give a password file, or trust unverified user names.")
        try await self.start {
            $0.authorizers = [try MQTTAccessFile(text: text)]
            $0.authenticators = [AnyName()]
        }
        try await self.start {
            $0.authorizers = [try MQTTAccessFile(text: text)]
            $0.listeners[0].trustsUnverifiedUsernames = true
        }
    }

    @Test("Client identifiers from user names are rejected if no authenticator verifies user names")
    func identifiersWithoutNames() async throws {
        let error = await #expect(throws: MQTTBrokerError.self) {
            try await self.start { $0.listeners[0].usesUsernameAsClientIdentifier = true }
        }
        #expect(error?.message.contains("front door takes client identifiers from user names") == true)
        try await self.start {
            $0.listeners[0].usesUsernameAsClientIdentifier = true
            $0.listeners[0].trustsUnverifiedUsernames = true
        }
    }

    @Test("A listener that trusts unverified user names applies their rules")
    func trusted() async throws {
        let access = try MQTTAccessFile(text: "user u\ntopic write mine\npattern write of/%u\n")
        try await withPeers {
            $0.authorizers = [access]
            $0.listeners[0].trustsUnverifiedUsernames = true
        } _: { peers in
            let named = try await peers.connect("a") { $0.username = "u" }
            #expect(try await named.deliver("x", to: "mine") == .noMatchingSubscribers)
            #expect(try await named.deliver("x", to: "of/u") == .noMatchingSubscribers)
            let nameless = try await peers.connect("b")
            #expect(try await nameless.deliver("x", to: "mine") == .notAuthorized)
        }
    }

    @Test("A reload that adds rules for unverified user names fails and keeps the previous rules")
    func reload() async throws {
        try await TemporaryFile.with("topic readwrite a\n") { file in
            let access = try await MQTTAccessFile(path: file.path)
            try await withPeers({ $0.authorizers = [access] }) { peers in
                try file.write("user u\ntopic readwrite b\n")
                let error = await #expect(throws: MQTTBrokerError.self) { try await peers.broker.reload() }
                #expect(error?.message.contains("line 1: 'user u' never applies") == true)
                let peer = try await peers.connect("p")
                #expect(try await peer.deliver("x", to: "a") == .noMatchingSubscribers)
            }
        }
    }
}

import CurlewCore
import NIOCore
import Testing

@Suite("Admission of clients")
struct AdmissionTests {
    private func admitted(_ terms: ServerTerms = ServerTerms(), _ connect: Connect) throws -> Admission.Admitted {
        guard case .admitted(let admitted) = terms.admit(connect) else {
            Issue.record("refused: \(terms.admit(connect))")
            throw CancellationError()
        }
        return admitted
    }

    private func refusal(_ terms: ServerTerms, _ connect: Connect) -> ReasonCode? {
        if case .refused(let code, _) = terms.admit(connect) { code } else { nil }
    }

    @Test(
        "A client without an identifier is assigned one, unless the server or the version forbids it [MQTT-3.1.3-6] [MQTT-3.1.3-8]"
    )
    func identifiers() throws {
        var terms = ServerTerms()
        #expect(try self.admitted(terms, Connect(clientIdentifier: "")).clientIdentifier.isEmpty)
        #expect(
            self.refusal(terms, Connect(version: .v3_1_1, cleanStart: false, clientIdentifier: ""))
                == .clientIdentifierNotValid)
        #expect(self.refusal(terms, Connect(version: .v3_1, clientIdentifier: "")) == .clientIdentifierNotValid)
        #expect(try self.admitted(terms, Connect(version: .v3_1_1, clientIdentifier: "")).cleanStart)
        terms.assignsClientIdentifiers = false
        #expect(self.refusal(terms, Connect(clientIdentifier: "")) == .clientIdentifierNotValid)
    }

    @Test("The session expiry depends on the version, the client and the server's maximum [MQTT-3.1.2-25]")
    func expiry() throws {
        #expect(
            try self.admitted(Connect(version: .v3_1_1, cleanStart: true, clientIdentifier: "a")).sessionExpiry
                == .atDisconnect)
        #expect(
            try self.admitted(Connect(version: .v3_1_1, cleanStart: false, clientIdentifier: "a")).sessionExpiry
                == .never)
        #expect(try self.admitted(Connect(cleanStart: false, clientIdentifier: "a")).sessionExpiry == .atDisconnect)
        var connect = Connect(clientIdentifier: "a", properties: Properties([.sessionExpiryInterval(30)]))
        #expect(try self.admitted(connect).sessionExpiry == .after(seconds: 30))
        connect.properties = Properties([.sessionExpiryInterval(.max)])
        #expect(try self.admitted(connect).sessionExpiry == .never)
        var terms = ServerTerms()
        terms.maximumSessionExpiry = 10
        let limited = try self.admitted(terms, connect)
        #expect(limited.sessionExpiry == .after(seconds: 10))
        let ack = terms.accept(limited, sessionPresent: false, assignedIdentifier: nil, authenticationData: nil)
        #expect(ack.properties.list.contains(.sessionExpiryInterval(10)))
    }

    private func admitted(_ connect: Connect) throws -> Admission.Admitted { try self.admitted(ServerTerms(), connect) }

    @Test(
        "A keep alive above the maximum is replaced, or refused if the version cannot tell the client [MQTT-3.2.2-22]",
        arguments: [UInt16(0), 100])
    func keepAlive(asked: UInt16) throws {
        var terms = ServerTerms()
        terms.maximumKeepAlive = 60
        let admitted = try self.admitted(terms, Connect(keepAlive: asked, clientIdentifier: "a"))
        #expect(admitted.keepAlive == 60)
        let ack = terms.accept(admitted, sessionPresent: false, assignedIdentifier: nil, authenticationData: nil)
        #expect(ack.properties.list.contains(.serverKeepAlive(60)))
        #expect(self.refusal(terms, Connect(version: .v3_1_1, keepAlive: asked, clientIdentifier: "a")) != nil)
        #expect(self.refusal(terms, Connect(version: .v3_1_1, keepAlive: 60, clientIdentifier: "a")) == nil)
    }

    @Test("A will that needs a feature the server does not support is refused [MQTT-3.2.2-12] [MQTT-3.2.2-13]")
    func wills() throws {
        var terms = ServerTerms()
        terms.maximumQoS = .atLeastOnce
        terms.retainAvailable = false
        let topic = TopicName("w")
        let high = Connect(clientIdentifier: "a", will: .init(topic: topic, payload: ByteBuffer(), qos: .exactlyOnce))
        #expect(self.refusal(terms, high) == .qosNotSupported)
        let retained = Connect(clientIdentifier: "a", will: .init(topic: topic, payload: ByteBuffer(), retain: true))
        #expect(self.refusal(terms, retained) == .retainNotSupported)
        let ack = terms.accept(
            try self.admitted(terms, Connect(clientIdentifier: "a")), sessionPresent: false, assignedIdentifier: "x",
            authenticationData: nil)
        // [MQTT-3.2.2-9] [MQTT-3.2.2-16]
        #expect(ack.properties.list.contains(.maximumQoS(.atLeastOnce)))
        #expect(ack.properties.list.contains(.retainAvailable(false)))
        #expect(ack.properties.list.contains(.assignedClientIdentifier("x")))
    }

    @Test("The limits and options in CONNECT are applied [MQTT-3.1.2-29] [MQTT-3.1.2-31]")
    func terms() throws {
        var terms = ServerTerms()
        terms.responseInformationPrefix = "replies/"
        var connect = Connect(
            clientIdentifier: "a",
            properties: Properties([
                .receiveMaximum(5), .maximumPacketSize(100), .topicAliasMaximum(3), .requestResponseInformation(true),
            ]))
        let admitted = try self.admitted(terms, connect)
        #expect(
            admitted.outgoing == .init(version: .v5_0, receiveMaximum: 5, maximumPacketSize: 100, topicAliasMaximum: 3))
        #expect(
            terms.accept(admitted, sessionPresent: false, assignedIdentifier: nil, authenticationData: nil)
                .properties.list.contains(.responseInformation("replies/a")))
        connect.properties = Properties()
        let silent = try self.admitted(terms, connect)
        #expect(
            !terms.accept(silent, sessionPresent: false, assignedIdentifier: nil, authenticationData: nil)
                .properties.list.contains(.responseInformation("replies/a")))
    }
}

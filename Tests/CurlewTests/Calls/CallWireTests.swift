import Curlew
import CurlewCore
import CurlewTesting
import Foundation
import NIOCore
import Testing

@Suite("Calls of devices, on the wire", .bounded)
struct CallWireTests {
    let server = ScriptedServer(patience: .seconds(60))

    private func id(_ request: MQTTMessage) throws -> Int64 {
        try #require(request.decode(JSONValue.self)["id"]?.integer)
    }

    /// Receives a call in JSON-RPC and answers it.
    private func answer(_ connection: ScriptedConnection, _ result: String) async throws {
        let request = try await connection.receivePublish()
        let source = try #require(request.decode(JSONValue.self)["src"]?.string)
        try connection.publish(#"{"id":\#(try self.id(request)),"result":\#(result)}"#, to: "\(source)/rpc")
    }

    @Test("The first call subscribes; later ones share the subscription, and each call is answered")
    func calls() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let device = client.device("d", .jsonRPC)
        async let first: Int = device.call("Add", [1, 2], within: .seconds(60))
        let filters = try await connection.grantSubscribe()
        #expect(filters.count == 1 && filters[0].string.hasPrefix("curlew-") && filters[0].string.hasSuffix("/rpc"))
        try await self.answer(connection, "3")
        #expect(try await first == 3)
        async let second = client.device("e", .jsonRPC).call("Status", within: .seconds(60))
        try await self.answer(connection, #"{"ok":true}"#)
        #expect(try await second == ["ok": true])
    }

    @Test("The deadline travels as message expiry")
    func expiry() async throws {
        let (client, connection) = try await self.server.connectedClient()
        async let call: Int = client.device("d", .jsonRPC).call("M", within: .milliseconds(2500))
        try await connection.grantSubscribe()
        let request = try await connection.receivePublish()
        #expect(request.properties.messageExpiryInterval == 3)
        let source = try #require(request.decode(JSONValue.self)["src"]?.string)
        try connection.publish(#"{"id":\#(try self.id(request)),"result":1}"#, to: "\(source)/rpc")
        #expect(try await call == 1)
    }

    @Test("Late, doubled and foreign answers are counted and never delivered")
    func unexpected() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock)
        let device = client.device("d", .jsonRPC)
        async let late = failure { try await device.call("M", as: Int.self, within: .seconds(5)) }
        try await connection.grantSubscribe()
        let first = try await connection.receivePublish()
        let source = try #require(first.decode(JSONValue.self)["src"]?.string)
        try await connection.sync()
        try await clock.advanceToSleeper(within: .seconds(5))
        #expect(try await late.code == .timedOut)
        #expect(try await late.delivery == .unknown)
        async let second: Int = device.call("M", within: .seconds(5))
        let request = try await connection.receivePublish()
        for id in [try self.id(first), 12345, try self.id(request), try self.id(request)] {
            try connection.publish(#"{"id":\#(id),"result":\#(id == 12345 ? 1 : 2)}"#, to: "\(source)/rpc")
        }
        try connection.publish("garbage", to: "\(source)/rpc")
        #expect(try await second == 2)
        try await connection.sync()
        #expect(client.statistics.unexpectedReplies == 4)
    }

    @Test("The subscription to the answers of a single device ends when nobody calls it, and begins again")
    func retired() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock)
        let device = client.device("me", .thingsBoard)
        for _ in 0..<2 {
            async let call: Int = device.call("M", within: .seconds(5))
            let filters = try await connection.grantSubscribe()
            #expect(filters.map(\.string) == ["v1/devices/me/rpc/response/+"])
            let request = try await connection.receivePublish()
            try connection.publish("1", to: request.topic.string.replacing("request", with: "response"))
            #expect(try await call == 1)
            try await connection.sync()
            clock.advance(by: .seconds(61))
            #expect(try await connection.confirmUnsubscribe() == filters)
        }
    }

    @Test("A large answer is decoded off the event loop, and delivered")
    func largeAnswer() async throws {
        let (client, connection) = try await self.server.connectedClient()
        async let call: String = client.device("d", .jsonRPC).call("M", within: .seconds(60))
        try await connection.grantSubscribe()
        let text = String(repeating: "x", count: 100_000)
        try await self.answer(connection, "\"\(text)\"")
        #expect(try await call == text)
    }

    @Test("Nobody has subscribed: no responder, at once")
    func noResponder() async throws {
        let (client, connection) = try await self.server.connectedClient()
        async let error = failure { try await client.device("d", .jsonRPC).call("M", within: .seconds(60)) }
        try await connection.grantSubscribe()
        try await connection.receivePublish(.noMatchingSubscribers)
        #expect(try await error.code == .noMatchingSubscribers)
    }

    @Test("Each outcome is of its own kind")
    func outcomes() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock)
        let names = ["answers", "errs", "refuses", "off", "silent", "babbles"]
        let results = try client.devices(names, .jsonRPC).call("M", as: Int.self, within: .seconds(5))
        async let collected = results.reduce(into: [String: String]()) { $0[$1.device] = $1.outcome.description }
        try await connection.grantSubscribe()
        for _ in names {
            let code: ReasonCode
            let publish = try await connection.receivePublishPacket()
            let device = try #require(publish.topic).string.split(separator: "/")[0]
            switch device {
            case "refuses": code = .notAuthorized
            case "off": code = .noMatchingSubscribers
            default: code = .success
            }
            let id = try #require(publish.packetID)
            try connection.send(.puback(Acknowledgement(id, reasonCode: code)))
            let frame = try JSONDecoder.value(of: publish.payload)
            let source = try #require(frame["src"]?.string)
            let number = try #require(frame["id"]?.integer)
            switch device {
            case "answers": try connection.publish(#"{"id":\#(number),"result":1}"#, to: "\(source)/rpc")
            case "errs":
                try connection.publish(
                    #"{"id":\#(number),"error":{"code":-105,"message":"gone"}}"#, to: "\(source)/rpc")
            case "babbles": try connection.publish(#"{"id":\#(number),"result":"x"}"#, to: "\(source)/rpc")
            default: break
            }
        }
        try await connection.sync()
        try await clock.advanceToSleeper(within: .seconds(5))
        let outcomes = await collected
        #expect(outcomes["answers"] == "answered: 1")
        #expect(outcomes["errs"] == "device error: gone (code -105)")
        #expect(outcomes["off"] == "no responder")
        #expect(outcomes["silent"] == "timed out")
        #expect(outcomes["refuses"]?.hasPrefix("not sent: ") == true)
        #expect(outcomes["babbles"]?.hasPrefix("bad reply: ") == true)
    }

    @Test("What cannot be sent is not sent, with the reason")
    func notSent() async throws {
        let (client, connection) = try await self.server.connectedClient()
        for (name, method, limit, code) in [
            ("a/+", "M", Duration.seconds(1), MQTTError.Code.invalidTopic), ("", "M", .seconds(1), .invalidArgument),
            ("a", "#", .seconds(1), .invalidTopic), ("a", "M", .zero, .timedOut), ("a", "M", .seconds(-1), .timedOut),
        ] {
            let error = try await failure { try await client.device(name, .jsonRPC).call(method, within: limit) }
            #expect(error.code == code)
            #expect(error.delivery == .notSent)
        }
        let width = try #require(throws: MQTTError.self) {
            _ = try client.devices(["a"], .jsonRPC).call("M", atOnce: 0)
        }
        #expect(width.code == .invalidArgument)
        // Nothing was sent.
        try await connection.sync()
    }

    @Test("A dialect of MQTT 5.0 says so over 3.1.1")
    func version() async throws {
        let (client, connection) = try await self.server.connectedClient { $0.connection.version = .exactly(.v3_1_1) }
        let error = try await failure { try await client.device("d", .mqtt5).call("M") }
        #expect(error.code == .notSupportedByProtocolVersion)
        async let answered: Int = client.device("d", .jsonRPC).call("M", within: .seconds(60))
        try await connection.grantSubscribe()
        try await self.answer(connection, "1")
        #expect(try await answered == 1)
    }

    @Test("A cancelled call ends, and its answer is unexpected")
    func cancelled() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let call = Task { try await client.device("d", .jsonRPC).call("M", within: .seconds(60)) }
        try await connection.grantSubscribe()
        let request = try await connection.receivePublish()
        call.cancel()
        #expect(try await failure { try await call.value }.code == .cancelled)
        let source = try #require(request.decode(JSONValue.self)["src"]?.string)
        try connection.publish(#"{"id":\#(try self.id(request)),"result":1}"#, to: "\(source)/rpc")
        try await connection.sync()
        #expect(client.statistics.unexpectedReplies == 1)
    }

    @Test("Serial devices get one call at a time")
    func serial() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let plug = client.device("plug", .tasmota)
        async let first = plug.call("Power", "ON", within: .seconds(60))
        #expect(try await connection.grantSubscribe().map(\.string) == ["stat/+/+"])
        let on = try await connection.receivePublish()
        #expect(on.topic.string == "cmnd/plug/Power" && on.text == "ON")
        async let second = plug.call("Dimmer", 50, within: .seconds(60))
        // A button was pressed: no answer to the second call. Its request waits for the first one.
        try connection.publish(#"{"Dimmer":9}"#, to: "stat/plug/RESULT")
        try await connection.sync()
        try connection.publish(#"{"POWER":"ON"}"#, to: "stat/plug/RESULT")
        #expect(try await first == ["POWER": "ON"])
        #expect(try await connection.receivePublish().text == "50")
        try connection.publish(#"{"POWER":"ON","Dimmer":50}"#, to: "stat/plug/RESULT")
        #expect(try await second["Dimmer"] == 50)
    }

    @Test("The connection breaks during a call: the request is sent again, and answered")
    func reconnect() async throws {
        let (client, connection) = try await self.server.connectedClient { $0.reconnectAtOnce() }
        async let call: Int = client.device("d", .jsonRPC).call("M", within: .seconds(60))
        try await connection.grantSubscribe()
        let lost = try await connection.receivePublishPacket()
        connection.close()
        let next = try await self.server.acceptAgain()
        try await next.grantSubscribe()
        let again = try await next.receivePublish()
        #expect(try self.id(again) == JSONDecoder.value(of: lost.payload)["id"]?.integer)
        let source = try #require(again.decode(JSONValue.self)["src"]?.string)
        try next.publish(#"{"id":\#(try self.id(again)),"result":4}"#, to: "\(source)/rpc")
        #expect(try await call == 4)
    }
}

extension JSONDecoder {
    fileprivate static func value(of payload: ByteBuffer) throws -> JSONValue {
        try JSONDecoder().decode(JSONValue.self, from: Data(payload.readableBytesView))
    }
}

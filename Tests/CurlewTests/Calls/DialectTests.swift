import CurlewCore
import Foundation
import NIOCore
import Testing

@testable import Curlew

extension MQTTMessage {
    /// A message with a JSON payload, or another text.
    fileprivate init(_ topic: String, _ payload: String, properties: MessageProperties = MessageProperties()) {
        self.init(
            topic: TopicName(unchecked: topic), payload: ByteBuffer(string: payload), properties: properties)
    }
}

@Suite("Dialects")
struct DialectTests {
    struct Vector: CustomTestStringConvertible, Sendable {
        let dialect: MQTTDialect
        let device: String
        let method: String
        var params: JSONValue?
        let topic: String
        let payload: String
        let filters: [String]
        let answer: (topic: String, payload: String)
        let result: JSONValue
        let error: (topic: String, payload: String)?
        var expectedError = MQTTDeviceError(404, "No handler for X")

        var testDescription: String { "\(self.dialect.name): \(self.method)" }

        var inquiry: MQTTDialect.Inquiry { .init(device: self.device, method: self.method, params: self.params) }
    }

    static let vectors: [Vector] = [
        Vector(
            dialect: .jsonRPC, device: "esp8266_DA7E15", method: "Sys.GetInfo", topic: "esp8266_DA7E15/rpc",
            payload: #"{"id":7,"src":"me","method":"Sys.GetInfo"}"#, filters: ["me/rpc"],
            answer: ("me/rpc", #"{"id":7,"src":"esp8266_DA7E15","dst":"me","result":{"uptime":3}}"#),
            result: ["uptime": 3],
            error: ("me/rpc", #"{"id":7,"error":{"code":404,"message":"No handler for X"}}"#)),
        Vector(
            dialect: .shelly, device: "shellyplus1-a8", method: "Switch.Set", params: ["id": 0, "on": true],
            topic: "shellyplus1-a8/rpc",
            payload: #"{"id":7,"src":"me","method":"Switch.Set","params":{"id":0,"on":true}}"#, filters: ["me/rpc"],
            answer: ("me/rpc", #"{"id":7,"src":"shellyplus1-a8","dst":"me","result":{"was_on":false}}"#),
            result: ["was_on": false],
            error: ("me/rpc", #"{"id":7,"error":{"code":404,"message":"No handler for X"}}"#)),
        Vector(
            dialect: .thingsBoard, device: "me", method: "getTime", params: [:],
            topic: "v1/devices/me/rpc/request/7", payload: #"{"method":"getTime","params":{}}"#,
            filters: ["v1/devices/me/rpc/response/+"], answer: ("v1/devices/me/rpc/response/7", "1700000000"),
            result: 1_700_000_000, error: ("v1/devices/me/rpc/response/7", #"{"error":"timeout"}"#),
            expectedError: MQTTDeviceError(nil, "timeout")),
        Vector(
            dialect: .thingsBoardGateway, device: "Device A", method: "toggle", params: ["pin": 1],
            topic: "v1/gateway/rpc",
            payload: #"{"device":"Device A","data":{"id":7,"method":"toggle","params":{"pin":1}}}"#,
            filters: ["v1/gateway/rpc"],
            answer: ("v1/gateway/rpc", #"{"device":"Device A","id":7,"data":{"success":true}}"#),
            result: ["success": true],
            error: ("v1/gateway/rpc", #"{"device":"Device A","id":7,"data":{"error":"no pin"}}"#),
            expectedError: MQTTDeviceError(nil, "no pin")),
        Vector(
            dialect: .zigbee2MQTTBridge, device: "zigbee2mqtt", method: "device/rename",
            params: ["from": "0x1", "to": "lamp"], topic: "zigbee2mqtt/bridge/request/device/rename",
            payload: #"{"from":"0x1","to":"lamp","transaction":"7"}"#, filters: ["zigbee2mqtt/bridge/response/#"],
            answer: (
                "zigbee2mqtt/bridge/response/device/rename",
                #"{"data":{"to":"lamp"},"status":"ok","transaction":"7"}"#
            ), result: ["to": "lamp"],
            error: (
                "zigbee2mqtt/bridge/response/device/rename",
                #"{"data":{},"error":"Device '0x1' does not exist","status":"error","transaction":"7"}"#
            ), expectedError: MQTTDeviceError(nil, "Device '0x1' does not exist")),
        Vector(
            dialect: .azureIoTHub, device: "any", method: "reboot", params: ["delay": 1],
            topic: "$iothub/methods/POST/reboot/?$rid=7", payload: #"{"delay":1}"#,
            filters: ["$iothub/methods/res/+/+"], answer: ("$iothub/methods/res/200/?$rid=7", #"{"ok":true}"#),
            result: ["ok": true],
            error: ("$iothub/methods/res/404/?$rid=7", #"{"message":"No handler for X"}"#)),
    ]

    /// The identifier 7, as the dialect writes it.
    private func id(_ dialect: MQTTDialect) -> CallID {
        if case .number = dialect.identifiers { CallID(7) } else { CallID("7") }
    }

    @Test("A request has the topic and the payload of its dialect", arguments: Self.vectors)
    func request(vector: Vector) throws {
        let request = try vector.dialect.encode(
            vector.inquiry, id: self.id(vector.dialect), source: "me", coder: .json)
        #expect(request.topic == vector.topic)
        #expect(
            try JSONDecoder().decode(JSONValue.self, from: Data(request.payload.readableBytesView))
                == JSONDecoder().decode(JSONValue.self, from: Data(vector.payload.utf8)))
        #expect(vector.dialect.answerFilters(vector.device, source: "me") == vector.filters)
    }

    @Test("An answer finds its call and is decoded", arguments: Self.vectors)
    func answer(vector: Vector) throws {
        let message = MQTTMessage(vector.answer.topic, vector.answer.payload)
        #expect(vector.dialect.key(of: message, deviceLevels: 1) == "7")
        let outcome = vector.dialect.outcome(of: message, to: vector.inquiry, as: JSONValue.self, coder: .json)
        guard case .answered(vector.result) = outcome else {
            Issue.record("\(outcome)")
            return
        }
    }

    @Test("An error is a device error with its code and message", arguments: Self.vectors)
    func error(vector: Vector) throws {
        let error = try #require(vector.error)
        let message = MQTTMessage(error.topic, error.payload)
        #expect(vector.dialect.key(of: message, deviceLevels: 1) == "7")
        let outcome = vector.dialect.outcome(of: message, to: vector.inquiry, as: JSONValue.self, coder: .json)
        guard case .deviceError(vector.expectedError) = outcome else {
            Issue.record("\(outcome)")
            return
        }
    }

    @Test("What is served is what is called: requests are decoded, answers encoded", arguments: Self.vectors)
    func serve(vector: Vector) throws {
        let sent = try vector.dialect.encode(vector.inquiry, id: self.id(vector.dialect), source: "me", coder: .json)
        let request = MQTTMessage(
            topic: TopicName(unchecked: sent.topic), payload: sent.payload, properties: sent.properties)
        let received = try #require(vector.dialect.request(in: request, for: vector.device))
        #expect(received.method == vector.method)
        let address = try #require(received.answer)
        for (result, expected) in [
            (.success(vector.result), vector.answer), (.failure(vector.expectedError), try #require(vector.error)),
        ] as [(Result<any Encodable & Sendable, MQTTDeviceError>, (topic: String, payload: String))] {
            let answer = try #require(try vector.dialect.encode(result, to: address, coder: .json))
            let topic = answer.topic.replacing("/res/500/", with: "/res/404/")
            #expect(topic == expected.topic)
            let message = MQTTMessage(
                topic: TopicName(unchecked: topic), payload: answer.payload, properties: answer.properties)
            #expect(vector.dialect.key(of: message, deviceLevels: 1) == "7")
            let outcome = vector.dialect.outcome(of: message, to: vector.inquiry, as: JSONValue.self, coder: .json)
            switch (outcome, result) {
            case (.answered(let value), .success): #expect(value == vector.result)
            case (.deviceError(let error), .failure): #expect(error.message == vector.expectedError.message)
            default: Issue.record("\(outcome)")
            }
        }
    }

    @Test("Requests of Mongoose OS with `args`, with the method in the topic, and without a source")
    func mongoose() throws {
        let dialect = MQTTDialect.jsonRPC
        let old = try #require(
            dialect.request(in: MQTTMessage("d/rpc", #"{"id":"x","src":"me","method":"M","args":{"a":1}}"#), for: "d"))
        #expect(old.method == "M" && old.answer != nil)
        let inTopic = try #require(
            dialect.request(in: MQTTMessage("d/rpc/M", #"{"id":1,"src":"me","args":{"a":1}}"#), for: "d"))
        #expect(inTopic.method == "M" && inTopic.answer != nil)
        #expect(dialect.request(in: MQTTMessage("d/rpc", #"{"id":1,"method":"M"}"#), for: "d") == nil)
        let noID = try #require(dialect.request(in: MQTTMessage("d/rpc", #"{"src":"me","method":"M"}"#), for: "d"))
        #expect(noID.answer == nil)
        #expect(dialect.request(in: MQTTMessage("d/rpc", "garbage"), for: "d") == nil)
    }

    @Test("An answer that names another device is not accepted")
    func otherDevice() {
        let inquiry = MQTTDialect.Inquiry(device: "A", method: "M", params: nil)
        let own = MQTTMessage("v1/gateway/rpc", #"{"device":"A","id":7,"data":1}"#)
        let other = MQTTMessage("v1/gateway/rpc", #"{"device":"B","id":7,"data":1}"#)
        #expect(MQTTDialect.thingsBoardGateway.isAnswer(own, to: inquiry))
        #expect(!MQTTDialect.thingsBoardGateway.isAnswer(other, to: inquiry))
        // It is no request, either.
        let answer = MQTTMessage("v1/gateway/rpc", #"{"device":"A","id":7,"data":{"method":"M","id":8}}"#)
        #expect(MQTTDialect.thingsBoardGateway.request(in: answer, for: "A") == nil)
    }

    @Test("The status of an error of Azure IoT Hub is at least 300")
    func status() throws {
        let request = try #require(
            MQTTDialect.azureIoTHub.request(in: MQTTMessage("$iothub/methods/POST/M/?$rid=7", ""), for: "any"))
        let address = try #require(request.answer)
        for (code, status) in [(1, "500"), (404, "404")] as [(JSONValue, String)] {
            let answer = try #require(
                try MQTTDialect.azureIoTHub.encode(
                    .failure(MQTTDeviceError(code, "x")), to: address, coder: .json))
            #expect(answer.topic == "$iothub/methods/res/\(status)/?$rid=7")
        }
    }

    @Test("Foreign messages are no answers")
    func foreign() {
        #expect(MQTTDialect.jsonRPC.key(of: MQTTMessage("me/rpc", "garbage"), deviceLevels: 1) == nil)
        #expect(MQTTDialect.jsonRPC.key(of: MQTTMessage("me/rpc", #"{"id":{"a":1}}"#), deviceLevels: 1) == nil)
        let own = MQTTMessage("v1/gateway/rpc", #"{"device":"A","data":{"id":7,"method":"m","params":{}}}"#)
        #expect(MQTTDialect.thingsBoardGateway.key(of: own, deviceLevels: 1) == nil)
    }

    @Test("An answer of another form is a bad reply, with the reason")
    func badReply() throws {
        struct Status: Decodable { var uptime: Int }
        let inquiry = MQTTDialect.Inquiry(device: "d", method: "M", params: nil)
        for payload in [#"{"id":7,"result":{"uptime":"long"}}"#, #"{"id":7}"#, #"{"id":7,"result":null}"#] {
            let outcome = MQTTDialect.jsonRPC.outcome(
                of: MQTTMessage("me/rpc", payload), to: inquiry, as: Status.self, coder: .json)
            guard case .badReply(let error) = outcome else {
                Issue.record("\(outcome)")
                continue
            }
            #expect(error.code == .decodingFailed)
            #expect(error.message.hasPrefix("The answer of d to M has an unexpected form: "))
        }
    }

    @Test("A missing result is null for those who accept it")
    func missingResult() {
        let inquiry = MQTTDialect.Inquiry(device: "d", method: "M", params: nil)
        let outcome = MQTTDialect.jsonRPC.outcome(
            of: MQTTMessage("me/rpc", #"{"id":7}"#), to: inquiry, as: Int?.self, coder: .json)
        guard case .answered(nil) = outcome else {
            Issue.record("\(outcome)")
            return
        }
    }

    @Test("MQTT 5.0: parameters and result are the payloads; text that is no JSON is text")
    func mqtt5() throws {
        let inquiry = MQTTDialect.Inquiry(device: "devices/7", method: "ping", params: "x")
        let request = try MQTTDialect.mqtt5.encode(inquiry, id: CallID("7"), source: "me", coder: .json)
        #expect(request.topic == "devices/7/rpc/ping")
        #expect(String(buffer: request.payload) == #""x""#)
        #expect(request.properties.contentType == "application/json")
        let plain = try MQTTDialect.mqtt5(topic: "{device}/rpc").encode(
            inquiry, id: CallID("7"), source: "me", coder: .json)
        #expect(plain.topic == "devices/7/rpc" && plain.properties["method"] == "ping")
        let pong = MQTTDialect.mqtt5.outcome(
            of: MQTTMessage("r", "pong"), to: inquiry, as: String.self, coder: .json)
        guard case .answered("pong") = pong else {
            Issue.record("\(pong)")
            return
        }
        var properties = MessageProperties()
        properties["error"] = "broken"
        properties["error-code"] = "418"
        let error = MQTTDialect.mqtt5.outcome(
            of: MQTTMessage("r", "", properties: properties), to: inquiry, as: String.self, coder: .json)
        guard case .deviceError(MQTTDeviceError(418, "broken")) = error else {
            Issue.record("\(error)")
            return
        }
    }

    @Test("The parameters of a bridge must be an object")
    func members() throws {
        let inquiry = MQTTDialect.Inquiry(device: "zigbee2mqtt", method: "permit_join", params: JSONValue.boolean(true))
        let error = try #require(throws: MQTTError.self) {
            try MQTTDialect.zigbee2MQTTBridge.encode(inquiry, id: CallID("7"), source: "me", coder: .json)
        }
        #expect(error.code == .invalidArgument && error.delivery == .notSent)
    }

    @Test("Identifiers are random, and of the dialect's form")
    func identifiers() throws {
        #expect(CallID(random: .absent) == nil)
        let text = try #require(CallID(random: .text))
        #expect(text.text.count == 32 && !text.isNumber)
        let number = try #require(CallID(random: .number(bits: 31)))
        #expect(number.isNumber && Int32(number.text) != nil)
        #expect(Set((0..<1000).compactMap { _ in CallID(random: .number(bits: 53)) }).count == 1000)
        #expect(CallID(7) == CallID("7"))
    }
}

@Suite("Answers of Tasmota")
struct TasmotaCommandTests {
    private func command(_ method: String, _ params: JSONValue? = nil) -> TasmotaCommand {
        TasmotaCommand(.init(device: "plug", method: method, params: params))
    }

    @Test(
        "An answer contains its command",
        arguments: [
            ("Power", #"{"POWER":"ON"}"#, true), ("Power1", #"{"POWER1":"ON"}"#, true),
            ("Power1", #"{"POWER":"ON"}"#, true), ("Power", #"{"POWER1":"ON"}"#, true),
            ("Power2", #"{"POWER1":"ON"}"#, false), ("Dimmer", #"{"POWER":"ON","Dimmer":50}"#, true),
            ("Dimmer", #"{"POWER":"OFF"}"#, false), ("TelePeriod", #"{"TelePeriod":300}"#, true),
            ("Template", #"{"NAME":"Generic","GPIO":[1]}"#, true), ("Nonsense", #"{"Command":"Unknown"}"#, true),
            ("Power", "garbage", false),
        ])
    func result(method: String, payload: String, isAnswer: Bool) {
        #expect(self.command(method).isAnswered(by: MQTTMessage("stat/plug/RESULT", payload)) == isAnswer)
    }

    @Test("Status has topics of its own; with SetOption4 every command has")
    func topics() {
        #expect(self.command("Status", 8).isAnswered(by: MQTTMessage("stat/plug/STATUS8", "{}")))
        #expect(!self.command("Status", 8).isAnswered(by: MQTTMessage("stat/plug/STATUS11", "{}")))
        #expect(self.command("Status").isAnswered(by: MQTTMessage("stat/plug/STATUS", "{}")))
        #expect(!self.command("Status").isAnswered(by: MQTTMessage("stat/plug/RESULT", #"{"POWER":"ON"}"#)))
        #expect(self.command("Power").isAnswered(by: MQTTMessage("stat/plug/POWER", #"{"POWER":"ON"}"#)))
        #expect(!self.command("Power").isAnswered(by: MQTTMessage("stat/plug/POWER", "ON")))
    }

    @Test("Unknown commands and parameters are errors")
    func errors() {
        let command = self.command("Nonsense")
        let unknown = MQTTMessage("stat/plug/RESULT", #"{"Command":"Unknown"}"#)
        #expect(command.error(in: unknown)?.code == "Unknown")
        #expect(command.error(in: MQTTMessage("stat/plug/RESULT", #"{"Command":"Error"}"#))?.code == "Error")
        #expect(command.error(in: MQTTMessage("stat/plug/RESULT", #"{"POWER":"ON"}"#)) == nil)
    }

    @Test("Parameters are text, and the topics follow FullTopic")
    func request() throws {
        let dialect = MQTTDialect.tasmota(fullTopic: "home/%topic%/%prefix%/")
        for (params, payload) in [
            ("ON" as JSONValue?, "ON"), (50, "50"), (nil, ""), (["a": 1], #"{"a":1}"#),
        ] {
            let request = try dialect.encode(
                .init(device: "plug", method: "Power", params: params), id: nil, source: "me", coder: .json)
            #expect(request.topic == "home/plug/cmnd/Power")
            #expect(String(buffer: request.payload) == payload)
        }
        #expect(dialect.answerFilters("plug", source: "me") == ["home/+/stat/+"])
        #expect(dialect.key(of: MQTTMessage("home/plug/stat/RESULT", "{}"), deviceLevels: 1) == "plug")
    }
}

@Suite("Answers of Zigbee2MQTT devices")
struct StateQuestionTests {
    @Test("The answer is the next state with all asked values")
    func state() {
        let question = StateQuestion(.init(device: "lamp", method: "set", params: ["state": "ON"] as JSONValue))
        #expect(question.isAnswered(by: MQTTMessage("zigbee2mqtt/lamp", #"{"state":"ON","linkquality":9}"#)))
        #expect(!question.isAnswered(by: MQTTMessage("zigbee2mqtt/lamp", #"{"linkquality":9}"#)))
        #expect(!question.isAnswered(by: MQTTMessage("zigbee2mqtt/lamp", "garbage")))
    }

    @Test("A name with a slash has its own filter")
    func filters() {
        #expect(MQTTDialect.zigbee2MQTT.answerFilters("lamp", source: "me") == ["zigbee2mqtt/+"])
        #expect(MQTTDialect.zigbee2MQTT.answerFilters("kitchen/lamp", source: "me") == ["zigbee2mqtt/+/+"])
    }
}

@Suite("Templates of dialects")
struct DialectTemplateTests {
    private func objection(_ request: MQTTDialect.Request, _ answer: MQTTDialect.Answer) throws -> String {
        try #require(throws: MQTTError.self) { try MQTTDialect("x", request: request, answer: answer) }.message
    }

    @Test("What cannot work is refused with the reason")
    func objections() throws {
        #expect(try self.objection(.init("a/{method}"), .init("b")).contains("names no device"))
        #expect(try self.objection(.init("a/{device}"), .init("b")).contains("names no method"))
        #expect(
            try self.objection(.init("a/{device}/{method}/{id}"), .init("b/{device}")).contains(
                "identifier of the call"))
        #expect(try self.objection(.init("a/{device}/{method}"), .init("b")).contains("nothing identifies the call"))
        #expect(try self.objection(.init("a/{device}/{method}", id: "id"), .init(id: "id")).contains("needs a topic"))
        #expect(try self.objection(.init("a/{device}/{methd}"), .init("b/{device}")).contains("{methd}"))
    }

    @Test("AWS IoT Jobs: answers on two topics, with a token in the payload")
    func jobs() throws {
        let jobs = try MQTTDialect(
            "AWS Jobs",
            request: .init("$aws/things/{device}/jobs/{method}", id: "clientToken", params: .members),
            answer: .init(
                "$aws/things/{device}/jobs/{method}/accepted",
                errorTopics: ["$aws/things/{device}/jobs/{method}/rejected"], id: "clientToken", errorCode: "code",
                errorMessage: "message"))
        let inquiry = MQTTDialect.Inquiry(
            device: "t", method: "start-next", params: ["stepTimeoutInMinutes": 1] as JSONValue)
        let request = try jobs.encode(inquiry, id: CallID("7"), source: "me", coder: .json)
        #expect(String(buffer: request.payload) == #"{"clientToken":"7","stepTimeoutInMinutes":1}"#)
        #expect(
            jobs.answerFilters("t", source: "me") == ["$aws/things/+/jobs/+/accepted", "$aws/things/+/jobs/+/rejected"])
        let rejected = MQTTMessage(
            "$aws/things/t/jobs/start-next/rejected", #"{"clientToken":"7","code":"Throttled","message":"Slow down"}"#)
        #expect(jobs.key(of: rejected, deviceLevels: 1) == "7")
        let outcome = jobs.outcome(of: rejected, to: inquiry, as: JSONValue.self, coder: .json)
        guard case .deviceError(MQTTDeviceError("Throttled", "Slow down")) = outcome else {
            Issue.record("\(outcome)")
            return
        }
    }
}

#if Digest
@Suite("Passwords of Shelly devices")
struct ShellyDigestTests {
    @Test("The response is the digest of RFC 7616 with SHA-256 and Shelly's fixed values")
    func response() {
        let digest = ShellyDigest("secret")
        let challenge = ShellyDigest.Challenge(realm: "shellyplus1-a8032ab12345", nonce: 1_625_038_762, nc: 1)
        let authentication = digest.authentication(challenge, cnonce: 313_273_957)
        #expect(authentication["username"] == "admin")
        #expect(authentication["algorithm"] == "SHA-256")
        // By Python's hashlib.
        #expect(authentication["response"] == "fa51bc2e12eb121ff05a36d406df7c841f3eb730cb35afccf823f3cad13e8aae")
    }

    @Test("A challenge is remembered for its device, and its nonce is counted")
    func challenge() {
        let digest = ShellyDigest("secret")
        #expect(digest.signature(for: "a") == nil)
        let message = #"{"auth_type":"digest","nonce":5,"nc":1,"realm":"a","algorithm":"SHA-256"}"#
        #expect(digest.refused(by: "a", MQTTDeviceError(401, message)))
        #expect((digest.signature(for: "a")?.value as? JSONValue)?["nc"] == 1)
        #expect((digest.signature(for: "a")?.value as? JSONValue)?["nc"] == 2)
        #expect(digest.signature(for: "b") == nil)
        #expect(!digest.refused(by: "a", MQTTDeviceError(404, message)))
        #expect(!digest.refused(by: "a", MQTTDeviceError(401, "no")))
        let overflow = message.replacing("\"nc\":1", with: "\"nc\":9223372036854775807")
        #expect(!digest.refused(by: "a", MQTTDeviceError(401, overflow)))
    }
}
#endif

import CurlewCore
import NIOCore
import Testing

@testable import Curlew

@Suite("Reading the values of a call in one pass")
struct CallReaderTests {
    private func message(_ payload: String) throws -> MQTTMessage {
        MQTTMessage(topic: try TopicName("t"), payload: ByteBuffer(string: payload))
    }

    private static let places = CallPlaces([
        ("id", .id), ("method", .text), ("error.code", .json), ("error.message", .text), ("params", .presence),
    ])

    @Test("Members of nested objects, and the value")
    func nested() throws {
        let payload = #"{"id":7,"method":"M","error":{"code":-1,"message":"no"},"params":{},"result":{"a":[1]}}"#
        let reader = CallReader<JSONValue>(try self.message(payload), Self.places, value: "result")
        #expect(reader.id(at: "id") == CallID(7))
        #expect(reader.text(at: "method") == "M")
        #expect(reader.json(at: "error.code") == -1)
        #expect(reader.text(at: "error.message") == "no")
        #expect(reader.hasValue(at: "params"))
        #expect(try reader.value(MQTTJSONCoder()) == ["a": [1]])
    }

    @Test(
        "What is missing, null or of another form is nil",
        arguments: [
            "{}", "[]", "1", "null", "", "not JSON", #"{"id":null,"method":1,"error":"x","params":null}"#,
            #"{"id":{},"method":[],"error":{"code":null}}"#,
        ])
    func missing(payload: String) throws {
        let reader = CallReader<JSONValue>(try self.message(payload), Self.places, value: "result")
        #expect(reader.id(at: "id") == nil)
        #expect(reader.text(at: "method") == nil)
        #expect(reader.json(at: "error.code") == nil)
        #expect(reader.text(at: "error.message") == nil)
        #expect(!reader.hasValue(at: "params"))
    }

    @Test("A value that does not decode says why; a payload that is not JSON, too")
    func mismatch() throws {
        for payload in [#"{"result":"x"}"#, "not JSON"] {
            let reader = CallReader<Int>(try self.message(payload), .none, value: "result")
            #expect(throws: MQTTError.self) { try reader.value(MQTTJSONCoder()) }
        }
        let missing = CallReader<Int?>(try self.message("{}"), .none, value: "result")
        #expect(try missing.value(MQTTJSONCoder()) == nil)
    }

    @Test("A request is not the same if only its payload differs")
    func keys() throws {
        let dialect = MQTTDialect.jsonRPC
        func key(_ params: String) throws -> MQTTDialect.RequestKey? {
            let message = MQTTMessage(
                topic: try TopicName("d/rpc"),
                payload: ByteBuffer(string: #"{"id":1,"src":"me","method":"M","params":\#(params)}"#))
            let request = try #require(dialect.request(in: message, for: "d"))
            return dialect.key(of: message, try #require(request.answer))
        }
        #expect(try key("1") == key("1"))
        #expect(try key("1")?.hashValue == key("1")?.hashValue)
        #expect(try key("1") != key("2"))
    }
}

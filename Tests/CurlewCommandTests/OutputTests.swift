#if Tools
import Curlew
import CurlewCore
import NIOCore
import Testing

@testable import CurlewCommand

@Suite("Message output")
struct OutputTests {
    private func message(_ payload: String, topic: String = "t", _ properties: Properties = Properties()) throws
        -> MQTTMessage
    {
        MQTTMessage(topic: try TopicName(topic), payload: ByteBuffer(string: payload), properties: properties)
    }

    private func written(_ writer: MessageWriter, _ messages: MQTTMessage...) -> String {
        var (writer, bytes) = (writer, [UInt8]())
        for message in messages { writer.write(message, to: &bytes) }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("On a terminal, control characters from the network are escaped, and topics are aligned")
    func terminal() throws {
        var writer = MessageWriter(form: .plain(withTopic: true))
        writer.terminal = .init(hasColour: false, isAligned: true)
        #expect(
            self.written(
                writer, try self.message("a\u{1B}[2J\u{7}\u{9B}b\nc", topic: "long\u{1B}x"), try self.message("d"))
                == "long\\u{1B}x a\\u{1B}[2J\\u{7}\\u{9B}b\nc\nt           d\n")
        writer.terminal = .init(hasColour: true, isAligned: false)
        #expect(self.written(writer, try self.message("d")) == "\u{1B}[36mt\u{1B}[0m d\n")
        writer.form = .format(try MessageFormat("\\e[1m%p\\e[0m"))
        #expect(self.written(writer, try self.message("\u{1B}c")) == "\u{1B}[1m\\u{1B}c\u{1B}[0m\n")
    }

    @Test("On a terminal, bytes that are not text are shown as U+FFFD")
    func binary() throws {
        var writer = MessageWriter(form: .plain(withTopic: false))
        writer.terminal = .init(hasColour: false, isAligned: false)
        let message = MQTTMessage(topic: try TopicName("t"), payload: ByteBuffer(bytes: [0xFF, 0x41, 0x09, 0x0A]))
        #expect(self.written(writer, message) == "\u{FFFD}A\t\n\n")
    }

    @Test("JSON output is one object per line, regardless of the payload")
    func json() throws {
        var properties = Properties()
        properties.contentType = "x"
        properties.userProperties = [UserProperty("a", "1"), UserProperty("b", "2")]
        let line = self.written(MessageWriter(form: .json), try self.message("a\n\"", properties))
        #expect(
            line.replacing(#/"tst":"[^"]+"/#, with: "T")
                == #"{T,"topic":"t","qos":0,"retain":0,"payloadlen":3,"properties":{"content-type":"x","user-properties":{"a":"1","b":"2"}},"payload":"a\n\""}"#
                + "\n")
        let binary = MQTTMessage(topic: try TopicName("t"), payload: ByteBuffer(bytes: [0xFF, 0]))
        #expect(self.written(MessageWriter(form: .json), binary).hasSuffix(#""payload":[255,0]}"# + "\n"))
        #expect(self.written(MessageWriter(form: .json), try self.message("")).hasSuffix(#""payload":""}"# + "\n"))
    }

    @Test("JSON output is valid for any correlation data, and keeps user properties with the same name")
    func exactProperties() throws {
        var properties = Properties()
        properties.correlationData = ByteBuffer(bytes: [0x88, 0, 0x41])
        properties.userProperties = [UserProperty("a", "1"), UserProperty("b", "2"), UserProperty("a", "3")]
        let line = self.written(MessageWriter(form: .json), try self.message("x", properties))
        #expect(
            line.contains(
                #""properties":{"correlation-data":[136,0,65],"user-properties":{"a":["1","3"],"b":"2"}}"#))
    }

    @Test("An invalid format is an error", arguments: ["%", "%5", "%z", "@", #"\"#, #"\z"#, "%99999t"])
    func problems(format: String) {
        #expect(throws: MessageFormat.Problem.self) { try MessageFormat(format) }
    }

    @Test("JSON nested more than 1,000 levels deep is refused")
    func depth() {
        func nested(_ depth: Int) -> [UInt8] {
            Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
        }
        #expect(JSONText(parsing: nested(1000)) != nil)
        #expect(JSONText(parsing: nested(1001)) == nil)
        #expect(JSONText(parsing: nested(1_000_000)) == nil)
    }

    @Test(
        "An invalid property is refused in a sentence that begins with -D",
        arguments: [
            "frob content-type x", "publish", "publish frob x", "publish content-type", "publish user-property a",
            "publish payload-format-indicator 2", "connect receive-maximum 0", "connect content-type x",
            "publish topic-alias 1", "puback user-property a b", "publish message-expiry-interval -1",
        ])
    func properties(text: String) throws {
        let argument = try #require(PropertyArgument(argument: text.replacing(" ", with: "\u{1F}")))
        let failure = #expect(throws: CommandFailure.self) { try PacketProperties([argument]) }
        #expect(failure?.message?.hasPrefix("-D ") == true)
    }
}
#endif

import CurlewCore
import Testing

@Suite("Topic names")
struct TopicNameTests {
    @Test(
        "A valid topic name keeps its text",
        arguments: ["a", "/", "a//b", "$SYS/broker", " a ", "größe/日本", "a\u{FEFF}", "A/b"])
    func valid(text: String) throws {
        #expect(try TopicName(text).string == text)
        #expect(try TopicName(text).description == text)
    }

    @Test(
        "An invalid topic name is refused [MQTT-4.7.0-1] [MQTT-4.7.3-1] [MQTT-4.7.3-2]",
        arguments: [
            ("", TopicError.Problem.empty), ("a\0b", .containsNull), ("a/+", .wildcardInName), ("#", .wildcardInName),
            ("a+b", .wildcardInName),
        ])
    func invalid(text: String, problem: TopicError.Problem) {
        let error = #expect(throws: TopicError.self) { try TopicName(text) }
        #expect(error?.problem == problem)
        #expect(error?.topic == text)
    }

    @Test("A topic name has at most 65,535 bytes in UTF-8 [MQTT-4.7.3-3]")
    func length() throws {
        #expect(try TopicName(String(repeating: "a", count: 65_535)).string.utf8.count == 65_535)
        let error = #expect(throws: TopicError.self) { try TopicName(String(repeating: "ä", count: 32_768)) }
        #expect(error?.problem == .tooLong)
        #expect(error?.message.hasSuffix("is 65536 bytes long in UTF-8; at most 65535 are allowed.") == true)
        #expect((error?.message.utf8.count ?? .max) < 500)
    }

    @Test("Names that differ only in their bytes are different names [MQTT-4.7.3-4]")
    func noNormalisation() throws {
        let (composed, decomposed) = (try TopicName(String("caf\u{E9}")), try TopicName(String("cafe\u{301}")))
        #expect(composed.string == decomposed.string, "Swift's strings are equal")
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed]).count == 2)
        #expect(decomposed < composed)
        #expect(try !TopicFilter("cafe\u{301}").matches(composed))
        #expect(try TopicFilter("cafe\u{301}") != TopicFilter("caf\u{E9}"))
    }

    @Test("Equality and order follow the bytes, at every length")
    func equality() throws {
        for length in 1...40 {
            let text = String(repeating: "x", count: length)
            #expect(try TopicName(text) == TopicName(text + "y".prefix(0)))
            for place in 0..<length {
                var bytes = Array(text.utf8)
                bytes[place] = UInt8(ascii: "w")
                let other = try TopicName(String(decoding: bytes, as: UTF8.self))
                #expect(try other != TopicName(text))
                #expect(try other < TopicName(text))
            }
        }
        #expect(try TopicName(String("a")) < TopicName(String("a/")))
    }

    @Test("An error is a sentence that says what to do")
    func message() {
        let error = #expect(throws: TopicError.self) { try TopicFilter("a/#/b") }
        #expect(
            error?.message == #"The topic filter "a/#/b" has '#' before its end; '#' may stand only as the last level."#
        )
        let null = #expect(throws: TopicError.self) { try TopicName(String("a\0")) }
        #expect(
            null?.description
                == #"The topic name "a\0" contains the null character (U+0000), which MQTT does not allow."#)
    }
}

#if Tools
import Testing

@testable import CurlewCommand

@Suite("JSON over several lines")
struct JSONLayoutTests {
    @Test("Numbers keep their digits, and members their order")
    func exact() {
        #expect(
            JSONLayout.formatted(#"{"b":12345678901234567890,"a": 1.50 ,"b":[1e3,null]}"#)
                == """
                {
                  "b": 12345678901234567890,
                  "a": 1.50,
                  "b": [
                    1e3,
                    null
                  ]
                }
                """)
    }

    @Test("Strings are unchanged, whatever they contain")
    func strings() {
        #expect(JSONLayout.formatted(#"["a\"],{:\\","é  x"]"#) == "[\n  \"a\\\"],{:\\\\\",\n  \"é  x\"\n]")
    }

    @Test("Empty objects and arrays stay on their line")
    func empty() {
        #expect(JSONLayout.formatted("{ }") == "{}")
        #expect(JSONLayout.formatted("[[ ],{}]") == "[\n  [],\n  {}\n]")
    }

    @Test(
        "Any other text is unchanged", arguments: ["", " ", "1", "\"a\"", "true", "{x", "[1,]", "[1] 2", "off {}"])
    func others(text: String) {
        #expect(JSONLayout.formatted(text) == text)
    }

    @Test("Deep nesting does not multiply the size")
    func depth() {
        let text = String(repeating: "[", count: 900) + "1" + String(repeating: "]", count: 900)
        #expect(JSONLayout.formatted(text).utf8.count < 200_000)
    }
}
#endif

import Testing

@testable import CurlewCore

@Suite("Printing a peer's text")
struct PrintableTextTests {
    @Test("Text in any script stays unchanged", arguments: ["", "Not authorized.", "überfüllt", "満員", "👩‍💻 ok"])
    func harmless(text: String) {
        #expect(text.printable == text)
    }

    @Test(
        "Control, line break and text direction characters are escaped",
        arguments: [
            ("a\nb", "a\\u{A}b"), ("\u{1B}[2J", "\\u{1B}[2J"), ("\u{7}", "\\u{7}"), ("\u{9B}1m", "\\u{9B}1m"),
            ("\u{202E}gpj", "\\u{202E}gpj"), ("\u{2028}", "\\u{2028}"), ("\u{7F}", "\\u{7F}"),
            ("a\r\nb", "a\\u{D}\\u{A}b"),
        ])
    func harmful(text: String, shown: String) {
        #expect(text.printable == shown)
    }

    @Test("Line feeds and tabs may be kept, but no other control characters")
    func lines() {
        let text = "é👨‍👩‍👧\t1\r\n\u{1B}c\u{85}"
        #expect(text.printable(keepsLines: true) == "é👨‍👩‍👧\t1\\u{D}\n\\u{1B}c\\u{85}")
        #expect(text.printable(keepsLines: false) == "é👨‍👩‍👧\\u{9}1\\u{D}\\u{A}\\u{1B}c\\u{85}")
    }

    @Test("A very long text is cut")
    func long() {
        #expect(String(repeating: "x", count: 65_535).printable == String(repeating: "x", count: 2000) + "…")
        #expect(String(repeating: "x", count: 2000).printable.count == 2000)
    }
}

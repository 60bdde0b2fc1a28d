import CurlewCore
import Testing

@Suite("Strings that keep arbitrary bytes")
struct KeptBytesTests {
    @Test("UTF-8 text stays unchanged")
    func text() {
        for text in ["", "a", "ä\n€𝄞", "\u{10FDFF}", "\u{10FF00}", "\u{FFFD}"] {
            #expect(String(keeping: text.utf8) == text)
            #expect(text.keptBytes == Array(text.utf8))
            #expect(text.keptText == text)
        }
    }

    @Test(
        "Bytes that are not UTF-8 are restored exactly, and are not text",
        arguments: [
            [0xFF], [0xC3], [0xC3, 0x28], [0xED, 0xA0, 0x80], [0x61, 0xE4, 0x62], [0xF4, 0x90, 0x80, 0x80],
            [0xF4, 0x8F, 0xBB], Array(0x00...0xFF),
        ] as [[UInt8]])
    func bytes(bytes: [UInt8]) {
        let text = String(keeping: bytes)
        #expect(text.keptBytes == bytes)
        #expect(text.keptText == nil)
    }

    @Test("The private characters that encode bytes are themselves encoded, so that they are not mistaken for bytes")
    func privateCharacters() {
        let text = "a\u{10FE00}\u{10FEFF}b"
        let kept = String(keeping: text.utf8)
        #expect(kept.unicodeScalars.count == 10)
        #expect(kept.keptBytes == Array(text.utf8))
        #expect(kept.keptText == text)
        #expect(!kept.unicodeScalars.contains(.neverKept))
    }

    @Test("Random bytes are restored exactly")
    func random() {
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0...12)).map { _ -> UInt8 in
                let telling: [UInt8] = [0x61, 0x80, 0xBB, 0x8F, 0xC3, 0xE2, 0xF4, .random(in: .min ... .max)]
                return telling.randomElement() ?? 0
            }
            #expect(String(keeping: bytes).keptBytes == bytes)
        }
    }

    @Test("A kept byte is printed as an escape")
    func printable() {
        #expect(String(keeping: [0x61, 0xFF, 0x0A]).printable == "a\\xFF\\u{A}")
    }
}

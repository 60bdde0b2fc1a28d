import CurlewCore
import Testing

/// `é` as one scalar and as two: equal for `String`, but not for MQTT.
private let composed = "caf\u{E9}"
private let decomposed = "cafe\u{301}"

@Suite("Texts compared byte by byte")
struct ExactTextTests {
    @Test("Texts that are equal only after normalization differ, as values and as keys")
    func differ() {
        #expect(composed == decomposed)
        #expect(ExactText(composed) != ExactText(decomposed))
        #expect(ExactText(composed) == ExactText("caf\u{E9}"))
        #expect(ExactText(decomposed) < ExactText(composed))
        var numbers: [ExactText: Int] = [:]
        numbers[ExactText(composed)] = 1
        numbers[ExactText(decomposed)] = 2
        #expect(numbers[ExactText(composed)] == 1)
        #expect(numbers.count == 2)
    }

    @Test("A Kelvin sign is not a K")
    func compatibility() {
        #expect("\u{212A}" == "K")
        #expect(ExactText("\u{212A}") != "K")
    }

    @Test("An absent text equals only another absent text")
    func absent() {
        let (absent, empty, text): (String?, String?, String?) = (nil, "", composed)
        #expect(absent.hasSameBytes(as: nil))
        #expect(!absent.hasSameBytes(as: empty))
        #expect(!text.hasSameBytes(as: decomposed))
        #expect(text.hasSameBytes(as: composed))
    }

    @Test("User properties are found, replaced and distinguished by the bytes of their names")
    func userProperties() {
        var properties = Properties()
        properties[composed] = "one"
        properties[decomposed] = "two"
        #expect(properties[composed] == "one")
        #expect(properties[decomposed] == "two")
        properties[decomposed] = nil
        #expect(properties.userProperties == [UserProperty(composed, "one")])
        #expect(properties.userProperties != [UserProperty(decomposed, "one")])
        #expect(Set([UserProperty("n", composed), UserProperty("n", decomposed)]).count == 2)
    }
}

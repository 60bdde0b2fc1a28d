#if Tools
    /// Text from the network, as a terminal may show it.
    ///
    /// A payload can hold what a terminal obeys: move the cursor, change the title, answer as if the person had typed. All such
    /// characters are shown, none is sent.
    enum TerminalText {
        /// - Parameter keepsLines: Whether ends of lines and tabs stay what they are.
        static func cleansed(_ bytes: some Sequence<UInt8>, keepsLines: Bool) -> [UInt8] {
            var cleansed: [UInt8] = []
            var decoder = UTF8()
            var iterator = bytes.makeIterator()
            // Bytes that are not UTF-8 come as U+FFFD, which is what a terminal would show for them.
            while true {
                switch decoder.decode(&iterator) {
                case .emptyInput: return cleansed
                case .error: cleansed += Array("\u{FFFD}".utf8)
                case .scalarValue(let scalar):
                    let isHarmless = !scalar.isDangerous || keepsLines && (scalar == "\n" || scalar == "\t")
                    cleansed += Array((isHarmless ? String(scalar) : scalar.visible).utf8)
                }
            }
        }
    }

    extension Unicode.Scalar {
        /// Whether a terminal might obey it, or show what follows in another order than it stands.
        fileprivate var isDangerous: Bool {
            switch self.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator, .surrogate: true
            // Joiners hold emoji together; marks of direction can make one text look like another.
            case .format: self != "\u{200D}" && self != "\u{200C}"
            default: false
            }
        }

        fileprivate var visible: String {
            switch self {
            case "\n": #"\n"#
            case "\r": #"\r"#
            case "\t": #"\t"#
            case "\u{1B}": #"\e"#
            case _ where self.value < 256: #"\x"# + Self.hexadecimal(self.value, digits: 2)
            default: #"\u{"# + Self.hexadecimal(self.value, digits: 4) + "}"
            }
        }

        private static func hexadecimal(_ value: UInt32, digits: Int) -> String {
            let text = String(value, radix: 16)
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }
    }
#endif

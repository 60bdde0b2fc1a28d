#if Tools
import Curlew
import CurlewCore

/// Turns messages into what standard output gets.
struct MessageWriter {
    /// How a message looks.
    enum Form {
        /// The payload, with the topic before it if so wanted: as mosquitto's commands write it.
        case plain(withTopic: Bool)
        case format(MessageFormat)
        /// One JSON object.
        case json
    }

    var form: Form
    var endsLines = true
    var isPretty = false
    /// What stands for the subscription, where somebody has named one.
    var subscriptionIdentifier: UInt32?
    /// `nil` for output that a program reads.
    var terminal: Terminal?

    /// What is true where a person looks at the output.
    struct Terminal {
        var hasColour: Bool
        /// Whether topics and payloads stand in columns.
        var isAligned: Bool
        /// As wide as the widest topic so far.
        fileprivate var column = 0

        init(hasColour: Bool, isAligned: Bool) {
            self.hasColour = hasColour
            self.isAligned = isAligned
        }
    }

    /// Topics that are wider do not push all others aside.
    private static let widestColumn = 40

    /// Appends what stands for a message.
    mutating func write(_ message: MQTTMessage, to bytes: inout [UInt8]) {
        switch self.form {
        case .plain(let withTopic):
            if self.terminal == nil {
                message.write(to: &bytes, withTopic: withTopic, withEnd: self.endsLines)
            } else {
                self.writeForPerson(message, withTopic, to: &bytes)
            }
        case .format(let format):
            self.write(message, with: format, to: &bytes)
            if self.endsLines { bytes.append(UInt8(ascii: "\n")) }
        case .json:
            let value = JSONValue(message, at: .now, subscriptionIdentifier: self.subscriptionIdentifier, .exact)
            var json: [UInt8] = []
            value?.write(to: &json, isPretty: self.isPretty)
            bytes += self.terminal == nil ? json : json.cleansed()
            bytes.append(UInt8(ascii: "\n"))
        }
    }

    private func write(_ message: MQTTMessage, with format: MessageFormat, to bytes: inout [UInt8]) {
        var context = MessageFormat.Context(
            subscriptionIdentifier: self.subscriptionIdentifier, isPretty: self.isPretty)
        if self.terminal != nil { context.cleanse = { $0.cleansed() } }
        guard !format.write(message, at: .now, context, to: &bytes) else { return }
        Diagnostics.say("The message on '\(message.topic)' is not JSON, which %J needs; %j takes any text.")
    }

    private mutating func writeForPerson(_ message: MQTTMessage, _ withTopic: Bool, to bytes: inout [UInt8]) {
        guard message.byteCount > 0 || withTopic && self.endsLines else { return }
        if withTopic {
            let topic = message.topic.string.printable(keepsLines: false)
            bytes += self.coloured(Array(topic.utf8), .topic)
            bytes += repeatElement(UInt8(ascii: " "), count: self.gap(after: topic))
        }
        if message.byteCount > 0 {
            let payload = message.withPayload { $0.cleansed() }
            bytes += self.coloured(payload, message.isRetained ? .retained : .plain)
        } else {
            bytes += self.coloured(Array("(null)".utf8), .absent)
        }
        if self.endsLines { bytes.append(UInt8(ascii: "\n")) }
    }

    private mutating func gap(after topic: String) -> Int {
        guard self.terminal?.isAligned == true else { return 1 }
        let width = topic.count
        let column = max(self.terminal?.column ?? 0, min(width, Self.widestColumn))
        self.terminal?.column = column
        return max(1, column - width + 1)
    }

    /// What a colour stands for.
    private enum Meaning: String {
        case plain = ""
        /// Cyan.
        case topic = "36"
        /// Yellow: the server had it, nobody has just sent it.
        case retained = "33"
        /// Faint.
        case absent = "2"
    }

    private func coloured(_ text: [UInt8], _ meaning: Meaning) -> [UInt8] {
        guard self.terminal?.hasColour == true, meaning != .plain else { return text }
        return Array("\u{1B}[\(meaning.rawValue)m".utf8) + text + Array("\u{1B}[0m".utf8)
    }
}

extension Collection<UInt8> {
    /// As a terminal may show it: whatever it would obey is spelled out, and what is no text is U+FFFD.
    fileprivate func cleansed() -> [UInt8] {
        Array(String(decoding: self, as: UTF8.self).printable(keepsLines: true).utf8)
    }
}

extension MQTTMessage {
    /// Appends topic, payload and end of line. An empty message shows only with its topic, as `(null)`, and not at all
    /// without an end of line.
    func write(to bytes: inout [UInt8], withTopic: Bool, withEnd: Bool) {
        guard self.byteCount > 0 || withTopic && withEnd else { return }
        if withTopic {
            bytes.append(contentsOf: self.topic.string.utf8)
            bytes.append(UInt8(ascii: " "))
        }
        if self.byteCount > 0 {
            self.withPayload { bytes.append(contentsOf: $0) }
        } else {
            bytes.append(contentsOf: "(null)".utf8)
        }
        if withEnd { bytes.append(UInt8(ascii: "\n")) }
    }
}
#endif

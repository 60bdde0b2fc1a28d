#if Tools
import Curlew
import CurlewCore

/// Formats messages for standard output.
struct MessageWriter {
    /// The output format.
    enum Form {
        /// The payload, optionally after the topic, as mosquitto's commands write it.
        case plain(withTopic: Bool)
        case format(MessageFormat)
        /// One JSON object.
        case json
    }

    var form: Form
    var endsLines = true
    /// Whether %j and %J, and the objects of `json`, are formatted over several lines.
    var isPretty = false
    /// Whether payloads that are JSON objects or arrays are formatted over several lines, in the form `plain`.
    var formatsPayloads = false
    /// The subscription identifier to show, if one was given.
    var subscriptionIdentifier: UInt32?
    /// `nil` if standard output is not a terminal.
    var terminal: Terminal?

    /// Settings for output on a terminal.
    struct Terminal {
        var hasColour: Bool
        /// Whether topics and payloads are aligned in columns.
        var isAligned: Bool
        /// The width of the topic column so far.
        fileprivate var column = 0

        init(hasColour: Bool, isAligned: Bool) {
            self.hasColour = hasColour
            self.isAligned = isAligned
        }
    }

    /// The maximum width of the topic column.
    private static let widestColumn = 40

    /// Appends a formatted message.
    mutating func write(_ message: MQTTMessage, to bytes: inout [UInt8]) {
        switch self.form {
        case .plain(let withTopic):
            if self.terminal == nil {
                message.write(
                    to: &bytes, withTopic: withTopic, withEnd: self.endsLines, formatsJSON: self.formatsPayloads)
            } else {
                self.writeForPerson(message, withTopic, to: &bytes)
            }
        case .format(let format):
            self.write(message, with: format, to: &bytes)
            if self.endsLines { bytes.append(UInt8(ascii: "\n")) }
        case .json:
            let value = JSONText(message, at: .now, subscriptionIdentifier: self.subscriptionIdentifier, .exact)
            var json: [UInt8] = []
            value?.write(to: &json, isPretty: false)
            if self.isPretty { json = JSONLayout.formatted(json) }
            bytes += self.terminal == nil ? json : json.cleansed()
            bytes.append(UInt8(ascii: "\n"))
        }
    }

    private func write(_ message: MQTTMessage, with format: MessageFormat, to bytes: inout [UInt8]) {
        var context = MessageFormat.Context(
            subscriptionIdentifier: self.subscriptionIdentifier, isPretty: self.isPretty)
        if self.terminal != nil { context.cleanse = { $0.cleansed() } }
        guard !format.write(message, at: .now, context, to: &bytes) else { return }
        Diagnostics.say("The message on '\(message.topic)' is not JSON, which %J needs; use %j for any text.")
    }

    private mutating func writeForPerson(_ message: MQTTMessage, _ withTopic: Bool, to bytes: inout [UInt8]) {
        guard message.byteCount > 0 || withTopic && self.endsLines else { return }
        if withTopic {
            let topic = message.topic.string.printable(keepsLines: false)
            bytes += self.coloured(Array(topic.utf8), .topic)
            bytes += repeatElement(UInt8(ascii: " "), count: self.gap(after: topic))
        }
        if message.byteCount > 0 {
            let payload =
                self.formatsPayloads
                ? JSONLayout.formatted(message.bytes).cleansed() : message.withPayload { $0.cleansed() }
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

    /// The meaning of a colour; the raw value is its ANSI code.
    private enum Meaning: String {
        case plain = ""
        /// Cyan.
        case topic = "36"
        /// Yellow: a retained message.
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
    /// The text for a terminal: control characters are escaped, and invalid UTF-8 becomes U+FFFD.
    fileprivate func cleansed() -> [UInt8] {
        Array(String(decoding: self, as: UTF8.self).printable(keepsLines: true).utf8)
    }
}

extension MQTTMessage {
    /// Appends topic, payload and line break. An empty payload is shown as `(null)` after the topic; without a topic or
    /// a line break, nothing is appended.
    ///
    /// - Parameter formatsJSON: Whether a payload that is a JSON object or array is formatted over several lines.
    func write(to bytes: inout [UInt8], withTopic: Bool, withEnd: Bool, formatsJSON: Bool = false) {
        guard self.byteCount > 0 || withTopic && withEnd else { return }
        if withTopic {
            bytes.append(contentsOf: self.topic.string.utf8)
            bytes.append(UInt8(ascii: " "))
        }
        if self.byteCount > 0, formatsJSON {
            bytes += JSONLayout.formatted(self.bytes)
        } else if self.byteCount > 0 {
            self.withPayload { bytes.append(contentsOf: $0) }
        } else {
            bytes.append(contentsOf: "(null)".utf8)
        }
        if withEnd { bytes.append(UInt8(ascii: "\n")) }
    }
}
#endif

#if Tools
import Curlew
import CurlewCore
import NIOCore

extension MessageFormat {
    /// How to write a message.
    struct Context {
        /// Shown by `%S` and in JSON instead of the identifiers that the client assigns.
        var subscriptionIdentifier: UInt32?
        var isPretty = false
        /// Escapes text from the network for a terminal.
        var cleanse: (([UInt8]) -> [UInt8])?
    }

    /// Appends the formatted message, byte for byte as mosquitto_sub does.
    ///
    /// - Returns: Whether everything was written: `%J` writes nothing if the payload is not JSON.
    func write(_ message: MQTTMessage, at moment: Moment, _ context: Context, to bytes: inout [UInt8]) -> Bool {
        var isComplete = true
        for element in self.elements {
            switch element {
            case .text(let text): bytes += text
            case .time(let code): bytes += moment.formatted([UInt8(ascii: "%"), code])
            case .nanoseconds: bytes += moment.nanosecondDigits
            case .field(let field, let layout):
                var writer = FieldWriter(message: message, moment: moment, context: context, layout: layout)
                isComplete = writer.write(field) && isComplete
                bytes += writer.bytes
            }
        }
        return isComplete
    }
}

/// Writes one field. Widths are in bytes.
private struct FieldWriter {
    let message: MQTTMessage
    let moment: Moment
    let context: MessageFormat.Context
    let layout: MessageFormat.Layout
    var bytes: [UInt8] = []

    /// Returns `false` if the payload must be JSON and is not.
    mutating func write(_ field: MessageFormat.Field) -> Bool {
        let properties = self.message.properties
        switch field {
        case .percent: self.bytes.append(UInt8(ascii: "%"))
        case .topicAlias: self.number(properties.topicAlias.map(Int.init))
        case .contentType: self.text(properties.contentType, isPaddedIfAbsent: true)
        case .correlationData: self.foreign(properties.correlationData.map { Array($0.readableBytesView) } ?? [])
        // Mosquitto prints it as a signed 32-bit integer.
        case .messageExpiry: self.number(properties.messageExpiryInterval.map { Int(Int32(bitPattern: $0)) })
        case .payloadFormat: self.number(properties.payloadFormatIndicator)
        case .isoTime: self.pad(self.cut(self.moment.formatted("%FT%T%z")))
        case .length: self.number(self.message.byteCount)
        case .packetID: self.number(Int(self.message.packetID?.rawValue ?? 0))
        case .userProperties:
            self.foreign(
                Array(properties.userProperties.map { "\($0.name):\($0.value)" }.joined(separator: " ").utf8))
        case .qos: self.bytes.append(0x30 + self.message.qos.rawValue)
        case .retain: self.bytes.append(UInt8(ascii: self.message.isRetained ? "1" : "0"))
        case .responseTopic: self.text(properties.responseTopic, isPaddedIfAbsent: false)
        case .subscriptionIdentifier: self.number(self.context.subscriptionIdentifier.map(Int.init))
        case .topic: self.text(self.message.topic.string, isPaddedIfAbsent: true)
        case .unixTime: self.bytes += Array("\(self.moment.seconds).".utf8) + self.moment.nanosecondDigits
        case .payload: self.payload(self.message.bytes)
        case .lowercaseHex: self.hexadecimal("0123456789abcdef")
        case .uppercaseHex: self.hexadecimal("0123456789ABCDEF")
        case .json, .jsonPayload: return self.json(payloadIsJSON: field == .jsonPayload)
        }
        return true
    }

    private mutating func json(payloadIsJSON: Bool) -> Bool {
        guard
            let value = JSONText(
                self.message, at: self.moment, subscriptionIdentifier: self.context.subscriptionIdentifier,
                payloadIsJSON ? .parsed : .text)
        else { return false }
        var json: [UInt8] = []
        value.write(to: &json, isPretty: self.context.isPretty)
        // Escaped as a whole, because the pretty form contains line breaks.
        self.bytes += self.context.cleanse?(json) ?? json
        return true
    }

    /// Appends text from the network, without padding.
    private mutating func foreign(_ bytes: [UInt8]) { self.bytes += self.context.cleanse?(bytes) ?? bytes }

    private mutating func number(_ value: Int?) {
        guard let value else {
            let pad = UInt8(ascii: self.layout.padsWithZeros ? "0" : " ")
            return self.bytes += repeatElement(pad, count: self.layout.width)
        }
        let digits = Array(String(value.magnitude).utf8)
        let sign = value < 0 ? [UInt8(ascii: "-")] : []
        if self.layout.padsWithZeros, !self.layout.isLeftAligned {
            let zeros = max(0, self.layout.width - digits.count - sign.count)
            self.bytes += sign + Array(repeating: UInt8(ascii: "0"), count: zeros) + digits
        } else {
            self.pad(sign + digits)
        }
    }

    private mutating func text(_ text: String?, isPaddedIfAbsent: Bool) {
        guard text != nil || isPaddedIfAbsent else { return }
        // Precision limits the length.
        let bytes = self.cut(Array((text ?? "").utf8))
        self.pad(self.context.cleanse?(bytes) ?? bytes, length: bytes.count)
    }

    private func cut(_ bytes: [UInt8]) -> [UInt8] {
        self.layout.precision.map { Array(bytes.prefix($0)) } ?? bytes
    }

    private mutating func pad(_ bytes: [UInt8], length: Int? = nil) {
        let blanks = repeatElement(UInt8(ascii: " "), count: max(0, self.layout.width - (length ?? bytes.count)))
        if self.layout.isLeftAligned { self.bytes += bytes + blanks } else { self.bytes += blanks + bytes }
    }

    /// A width also limits the length of the payload.
    private mutating func payload(_ payload: [UInt8]) {
        let width = self.layout.width
        let shown = width > 0 ? Array(payload.prefix(width)) : payload
        self.surround(self.context.cleanse?(shown) ?? shown, padding: width - shown.count)
    }

    private mutating func hexadecimal(_ digits: StaticString) {
        let width = self.layout.width
        let payload = self.message.bytes
        // Mosquitto cuts the payload to the width, then takes half of that.
        let count = width > 0 ? min(payload.count, width) / 2 : payload.count
        var shown: [UInt8] = []
        for byte in payload.prefix(count) {
            shown.append(digits.utf8Start[Int(byte >> 4)])
            shown.append(digits.utf8Start[Int(byte & 15)])
        }
        self.surround(shown, padding: width > 0 ? width - shown.count : -payload.count)
    }

    /// With left alignment, mosquitto adds as many spaces for a negative padding as for a positive one.
    private mutating func surround(_ bytes: [UInt8], padding: Int) {
        if self.layout.isLeftAligned {
            self.bytes += bytes + Array(repeating: UInt8(ascii: " "), count: padding.magnitude.asInt)
        } else {
            let pad = UInt8(ascii: self.layout.padsWithZeros ? "0" : " ")
            self.bytes += Array(repeating: pad, count: max(0, padding)) + bytes
        }
    }
}

extension UInt {
    fileprivate var asInt: Int { Int(clamping: self) }
}

extension Properties {
    /// The topic alias with which the broker sent the message.
    var topicAlias: UInt16? {
        self.value { if case .topicAlias(let alias) = $0 { alias } else { nil } }
    }

    /// 1 for text, 0 for bytes.
    var payloadFormatIndicator: Int? {
        self.value { if case .payloadFormatIndicator(let value) = $0 { Int(value) } else { nil } }
    }
}
#endif

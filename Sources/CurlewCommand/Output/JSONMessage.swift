#if Tools
import Curlew
import CurlewCore
import NIOCore

extension JSONText {
    /// How the payload is represented in the JSON of a message.
    enum PayloadForm {
        /// As a string up to the first zero byte: mosquitto_sub's `%j`.
        case text
        /// As the JSON that it contains: mosquitto_sub's `%J`.
        case parsed
        /// As a string if it is UTF-8, otherwise as an array of bytes, so that the result is always valid JSON.
        case exact
    }

    /// A message as an object.
    ///
    /// - Parameter subscriptionIdentifier: Shown instead of the identifiers that the client assigns.
    /// - Returns: `nil` if the payload must be JSON and is not.
    init?(_ message: MQTTMessage, at moment: Moment, subscriptionIdentifier: UInt32?, _ form: PayloadForm) {
        guard let payload = Self.payload(message, form) else { return nil }
        var members: [(String, JSONText)] = [
            ("tst", .string(moment.timestamp(form))), ("topic", .string(message.topic.string)),
            ("qos", .number(Double(message.qos.rawValue))), ("retain", .number(message.isRetained ? 1 : 0)),
            ("payloadlen", .number(Double(message.byteCount))),
        ]
        if let packetID = message.packetID { members.append(("mid", .number(Double(packetID.rawValue)))) }
        let properties = Self.properties(message.properties, subscriptionIdentifier, form)
        if !properties.isEmpty { members.append(("properties", .object(properties))) }
        members.append(("payload", payload))
        self = .object(members.map { Member(name: Array($0.utf8), value: $1) })
    }

    private static func payload(_ message: MQTTMessage, _ form: PayloadForm) -> JSONText? {
        guard message.byteCount > 0 else { return form == .exact ? .string([]) : .null }
        let bytes = message.bytes
        return switch form {
        case .text: .string(Array(bytes.prefix(while: { $0 != 0 })))
        case .parsed: bytes.contains(0) ? nil : JSONText(parsing: bytes)
        case .exact: .exact(bytes)
        }
    }

    /// Bytes as a string, or as an array of numbers if they are not UTF-8.
    private static func exact(_ bytes: [UInt8]) -> JSONText {
        String(validating: bytes, as: UTF8.self) == nil
            ? .array(bytes.map { .number(Double($0)) }) : .string(bytes)
    }

    /// The properties in their order of arrival; all user properties at the position of the first.
    private static func properties(
        _ properties: Properties, _ subscriptionIdentifier: UInt32?, _ form: PayloadForm
    ) -> [Member] {
        var members: [Member] = []
        var hasUserProperties = false
        func add(_ name: String, _ value: JSONText) {
            members.append(Member(name: Array(name.utf8), value: value))
        }
        if let subscriptionIdentifier {
            add("subscription-identifier", .number(Double(subscriptionIdentifier)))
        }
        for property in properties.list {
            switch property {
            case .payloadFormatIndicator(let value): add("payload-format-indicator", .number(Double(value)))
            case .messageExpiryInterval(let value): add("message-expiry-interval", .number(Double(value)))
            case .contentType(let text): add("content-type", .string(text))
            case .responseTopic(let text): add("response-topic", .string(text))
            case .correlationData(let data):
                let bytes = Array(data.readableBytesView)
                add(
                    "correlation-data",
                    form == .exact ? .exact(bytes) : .string(Array(bytes.prefix(while: { $0 != 0 }))))
            case .topicAlias(let alias): add("topic-alias", .number(Double(alias)))
            case .userProperty where !hasUserProperties:
                hasUserProperties = true
                add("user-properties", .object(Self.members(properties.userProperties, form)))
            default: break
            }
        }
        return members
    }

    /// One member per property. In the exact form, one per name, with an array of values if the name occurs several
    /// times.
    private static func members(_ properties: [UserProperty], _ form: PayloadForm) -> [Member] {
        guard form == .exact else {
            return properties.map { Member(name: Array($0.name.utf8), value: .string($0.value)) }
        }
        var names: [ExactText] = []
        var values: [ExactText: [JSONText]] = [:]
        for property in properties {
            let name = ExactText(property.name)
            if values[name] == nil { names.append(name) }
            values[name, default: []].append(.string(property.value))
        }
        return names.map { name in
            let all = values[name] ?? []
            return Member(name: Array(name.string.utf8), value: all.count == 1 ? all[0] : .array(all))
        }
    }
}

extension Moment {
    /// In ISO 8601 format; for mosquitto_sub's codes in its own format, `2026-05-06T22:12:00.123456Z+0200`.
    fileprivate func timestamp(_ form: JSONText.PayloadForm) -> [UInt8] {
        self.formatted("%FT%T.") + self.microsecondDigits + (form == .exact ? [] : [UInt8(ascii: "Z")])
            + self.formatted("%z")
    }
}
#endif

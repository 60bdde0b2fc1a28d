/// A value of a call that a topic can contain.
enum CallSlot: String, CaseIterable, Sendable {
    /// The device that is called.
    case device
    /// The name of the method.
    case method
    /// The identifier of the call.
    case id
    /// The name of the caller.
    case source
    /// The status of the answer, a number.
    case status
}

/// A topic of a dialect with slots for values, such as `{device}/rpc/{method}`.
///
/// A level contains at most one slot, which may have text around it: `?$rid={id}`. `{method...}` stands for all levels
/// that follow. The value of `{device}` may contain `/`.
struct CallTopic: Sendable, Hashable {
    private enum Level: Hashable {
        case text(String)
        case slot(CallSlot, prefix: String, suffix: String)
        case rest(CallSlot)
    }

    /// The topic as it was written.
    let text: String
    private let levels: [Level]
    /// The slots of the topic.
    let slots: Set<CallSlot>

    init(_ text: String) {
        self.text = text
        self.levels = text.split(separator: "/", omittingEmptySubsequences: false).map { Self.level($0) }
        self.slots = Set(
            self.levels.compactMap { level in
                switch level {
                case .text: nil
                case .slot(let slot, _, _), .rest(let slot): slot
                }
            })
    }

    private static func level(_ text: Substring) -> Level {
        guard let open = text.firstIndex(of: "{"), let close = text[open...].firstIndex(of: "}") else {
            return .text(String(text))
        }
        var name = text[text.index(after: open)..<close]
        let isRest = name.hasSuffix("...")
        if isRest { name = name.dropLast(3) }
        guard let slot = CallSlot(rawValue: String(name)) else { return .text(String(text)) }
        if isRest { return .rest(slot) }
        return .slot(slot, prefix: String(text[..<open]), suffix: String(text[text.index(after: close)...]))
    }

    /// The reason why the topic cannot be used; `nil` if it can.
    var objection: String? {
        for (index, level) in self.levels.enumerated() {
            switch level {
            case .text(let text) where text.utf8.contains { "{}+#".utf8.contains($0) }:
                let names = CallSlot.allCases.map { "{\($0.rawValue)}" }.joined(separator: ", ")
                return
                    "The level \"\(text)\" of the topic \"\(self.text)\" is not valid: it may contain one of \(names)."
            case .slot(_, let prefix, let suffix) where (prefix + suffix).utf8.contains { "{}+#".utf8.contains($0) }:
                return "A level of the topic \"\(self.text)\" has more than one slot, or a wildcard beside its slot."
            case .rest where index != self.levels.count - 1:
                return "A slot with \"...\" must be the last level of the topic \"\(self.text)\"."
            default: break
            }
        }
        return nil
    }

    /// The topic with these values. A missing value leaves its level empty.
    func filled(with values: CallSlots) -> String {
        var topic = ""
        for (index, level) in self.levels.enumerated() {
            if index > 0 { topic += "/" }
            switch level {
            case .text(let text): topic += text
            case .slot(let slot, let prefix, let suffix):
                topic += prefix
                topic += values[slot] ?? ""
                topic += suffix
            case .rest(let slot): topic += values[slot] ?? ""
            }
        }
        return topic
    }

    /// The topic filter for topics with these values, and any others.
    ///
    /// - Parameter deviceLevels: The number of levels of a device that is not among the values.
    func filter(with values: CallSlots, deviceLevels: Int = 1) -> String {
        self.levels.map { level in
            switch level {
            case .text(let text): return text
            case .slot(let slot, let prefix, let suffix):
                if let value = values[slot] { return prefix + value + suffix }
                return slot == .device ? Array(repeating: "+", count: deviceLevels).joined(separator: "/") : "+"
            case .rest(let slot): return values[slot] ?? "#"
            }
        }.joined(separator: "/")
    }

    /// The values of the slots in a topic; `nil` if the topic has another form.
    ///
    /// - Parameter deviceLevels: The number of levels of the device.
    func values(in topic: String, deviceLevels: Int = 1) -> CallSlots? {
        var rest = TopicLevels(topic)
        var values = CallSlots()
        for level in self.levels {
            switch level {
            case .text(let text):
                guard let next = rest.next(), next == text else { return nil }
            case .slot(let slot, let prefix, let suffix):
                guard let next = rest.next(slot == .device ? deviceLevels : 1),
                    next.utf8.count >= prefix.utf8.count + suffix.utf8.count,
                    next.hasPrefix(prefix), next.hasSuffix(suffix)
                else { return nil }
                values[slot] = String(
                    Substring(next.utf8.dropFirst(prefix.utf8.count).dropLast(suffix.utf8.count)))
            case .rest(let slot): values[slot] = rest.remainder()
            }
        }
        return rest.isAtEnd ? values : nil
    }
}

/// The values of the slots of a topic.
struct CallSlots: Sendable, Equatable {
    private var device: String?
    private var method: String?
    private var id: String?
    private var source: String?
    private var status: String?

    init(device: String? = nil, method: String? = nil, id: String? = nil, source: String? = nil) {
        self.device = device
        self.method = method
        self.id = id
        self.source = source
    }

    subscript(slot: CallSlot) -> String? {
        get {
            switch slot {
            case .device: self.device
            case .method: self.method
            case .id: self.id
            case .source: self.source
            case .status: self.status
            }
        }
        set {
            switch slot {
            case .device: self.device = newValue
            case .method: self.method = newValue
            case .id: self.id = newValue
            case .source: self.source = newValue
            case .status: self.status = newValue
            }
        }
    }
}

/// Reads a topic level by level.
private struct TopicLevels {
    /// What was not read; `nil` after the last level.
    private var rest: Substring.UTF8View?

    init(_ topic: String) { self.rest = topic[...].utf8 }

    /// Whether all levels were read.
    var isAtEnd: Bool { self.rest == nil }

    /// The next levels, with the slashes between them; `nil` if there are fewer.
    mutating func next(_ count: Int = 1) -> Substring? {
        guard let rest else { return nil }
        var end = rest.startIndex
        for left in (0..<count).reversed() {
            guard let slash = rest[end...].firstIndex(of: UInt8(ascii: "/")) else {
                guard left == 0 else { return nil }
                self.rest = nil
                return Substring(rest)
            }
            if left == 0 {
                self.rest = rest[rest.index(after: slash)...]
                return Substring(rest[..<slash])
            }
            end = rest.index(after: slash)
        }
        return nil
    }

    /// All levels that were not read; empty if there are none.
    mutating func remainder() -> String {
        defer { self.rest = nil }
        return self.rest.map { String(Substring($0)) } ?? ""
    }
}

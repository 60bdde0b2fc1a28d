import CurlewCore

/// A command of Tasmota, whose answers contain no identifier.
struct TasmotaCommand {
    private let method: String
    /// The command in lower case, and without the index behind it: `power1` and `power`.
    private let names: Set<String>
    /// The command without an index: it is answered with any index, as `Power` by a device with several relays.
    private let anyIndex: String?
    /// The last level of the topics on which the answer can arrive.
    private let levels: Set<String>

    init(_ inquiry: MQTTDialect.Inquiry) {
        self.method = inquiry.method
        let command = inquiry.method.lowercased()
        let base = command.withoutIndex
        // These two have answers of their own.
        let isSpecial = base == "status" || base == "template"
        self.anyIndex = !isSpecial && (base == command || command == base + "0") ? base : nil
        switch base {
        case "status":
            let number = (inquiry.params as? JSONValue)?.plainText ?? inquiry.params.map { "\($0)" } ?? ""
            self.levels = [number == "0" || number.isEmpty ? "status" : "status\(number)"]
            self.names = []
        case "template":
            // The answer is the template itself.
            self.levels = ["result", command]
            self.names = ["name"]
        default:
            // With `SetOption4 1`, the answer arrives on a topic with the name of the command.
            self.levels = ["result", command, base]
            self.names = [command, base]
        }
    }

    /// Whether a message of the device is the answer. Buttons and rules cause results of other commands.
    func isAnswered(by message: MQTTMessage) -> Bool {
        let level = message.topic.string.split(separator: "/").last?.lowercased() ?? ""
        guard self.levels.contains(level) || level.withoutIndex == self.anyIndex else { return false }
        guard !self.names.isEmpty else { return true }
        guard case .object(let members)? = self.json(message) else { return false }
        let isNamed = members.keys.contains { name in
            let name = name.lowercased()
            return self.names.contains(name) || name.withoutIndex == self.anyIndex
        }
        return isNamed || self.error(in: message) != nil
    }

    /// The error in an answer: Tasmota has two, for a command that it does not know and for a parameter.
    func error(in message: MQTTMessage) -> MQTTDeviceError? {
        guard self.names != ["command"], case .string(let kind)? = self.json(message)?["Command"] else { return nil }
        switch kind {
        case "Unknown": return MQTTDeviceError("Unknown", "The device does not know the command \(self.method).")
        case "Error": return MQTTDeviceError("Error", "The device did not accept the parameter of \(self.method).")
        default: return nil
        }
    }

    private func json(_ message: MQTTMessage) -> JSONValue? { try? message.decode(JSONValue.self) }
}

extension String {
    /// The text without digits at its end.
    fileprivate var withoutIndex: String { String(self.reversed().drop { $0.isNumber }.reversed()) }
}

/// A request to a device of Zigbee2MQTT, whose answer is the next state with the requested values.
struct StateQuestion {
    private let names: [String]

    init(_ inquiry: MQTTDialect.Inquiry) {
        let params = inquiry.params.flatMap { params -> JSONValue? in
            if let json = params as? JSONValue { return json }
            return try? MQTTJSONCoder().decode(JSONValue.self, from: MQTTJSONCoder.sorted(params))
        }
        let names = params?.object.map { Array($0.keys) } ?? []
        self.names = names.filter { !Self.isInstruction($0) }
    }

    /// Whether a parameter says how to change the state, and is no part of it.
    private static func isInstruction(_ name: String) -> Bool {
        ["transition", "effect"].contains(name) || name.hasSuffix("_step") || name.hasSuffix("_move")
    }

    /// Whether a message is a state that contains all requested values.
    func isAnswered(by message: MQTTMessage) -> Bool {
        guard case .object(let members)? = try? message.decode(JSONValue.self) else { return false }
        return self.names.allSatisfy { members[$0] != nil }
    }
}

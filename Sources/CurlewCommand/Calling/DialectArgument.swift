#if Tools
import ArgumentParser
import Curlew
import CurlewCore

/// The value of --dialect: a name, and for some dialects a topic after a colon.
struct DialectArgument: Sendable {
    /// The dialects, with their names at the command line.
    enum Kind: String, CaseIterable {
        case mqtt5, jsonrpc, shelly, thingsboard
        case gateway = "thingsboard-gateway"
        case zigbee2mqtt
        case bridge = "zigbee2mqtt-bridge"
        case tasmota, azure
    }

    let kind: Kind
    let dialect: MQTTDialect
    /// Whether the topic of a request contains the method in one level.
    private let methodIsLevel: Bool

    static let names = Kind.allCases.map(\.rawValue)

    static let usual = Self(.mqtt5, .mqtt5, methodIsLevel: true)

    private init(_ kind: Kind, _ dialect: MQTTDialect, methodIsLevel: Bool = false) {
        self.kind = kind
        self.dialect = dialect
        self.methodIsLevel = methodIsLevel
    }

    /// Parses the value of the option, for its `transform`.
    ///
    /// - Throws: A sentence that says which values are valid.
    static func read(_ text: String) throws -> Self {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let name = parts[0].lowercased()
        // Mongoose OS is what its users call it.
        guard let kind = name == "mongoose" ? .jsonrpc : Kind(rawValue: name) else {
            if let meant = Spelling.nearest(to: name, among: Self.names) {
                throw ValidationError("there is no such dialect; did you mean '\(meant)'?")
            }
            throw ValidationError("it must be one of \(Self.names.joined(separator: ", "))")
        }
        return if parts.count > 1 { try Self.read(kind, topic: parts[1]) } else { Self(kind) }
    }

    private init(_ kind: Kind) {
        switch kind {
        case .mqtt5: self = .usual
        case .jsonrpc: self.init(kind, .jsonRPC)
        case .shelly: self.init(kind, .shelly)
        case .thingsboard: self.init(kind, .thingsBoard)
        case .gateway: self.init(kind, .thingsBoardGateway)
        case .zigbee2mqtt: self.init(kind, .zigbee2MQTT, methodIsLevel: true)
        case .bridge: self.init(kind, .zigbee2MQTTBridge)
        case .tasmota: self.init(kind, .tasmota, methodIsLevel: true)
        case .azure: self.init(kind, .azureIoTHub, methodIsLevel: true)
        }
    }

    private static func read(_ kind: Kind, topic: String) throws -> Self {
        switch kind {
        case .mqtt5:
            guard Self.isTopicOfRequests(topic) else {
                throw ValidationError(
                    "its topic must contain {device} and may contain {method}, in levels of their own and without + and #, "
                        + "as in mqtt5:{device}/rpc/{method}")
            }
            return Self(kind, .mqtt5(topic: topic), methodIsLevel: topic.contains("{method}"))
        case .zigbee2mqtt:
            guard !topic.isEmpty, Self.isPlain(topic) else {
                throw ValidationError(
                    "its base topic must not be empty or contain + or #, as in zigbee2mqtt:home/zigbee")
            }
            return Self(kind, .zigbee2MQTT(base: topic), methodIsLevel: true)
        case .tasmota:
            guard Self.isFullTopic(topic) else {
                throw ValidationError(
                    "its FullTopic must contain %prefix% and %topic%, in different levels, and no other % and no + or #, as "
                        + "in tasmota:%prefix%/%topic%/")
            }
            return Self(kind, .tasmota(fullTopic: topic), methodIsLevel: true)
        case .bridge:
            throw ValidationError(
                "this dialect takes no topic, because the device is the base topic; write '\(kind.rawValue)'")
        case .jsonrpc, .shelly, .thingsboard, .gateway, .azure:
            throw ValidationError("this dialect takes no topic; write '\(kind.rawValue)'")
        }
    }

    /// Whether requests can be sent to a topic with slots, such as `{device}/rpc/{method}`. The library decides which
    /// slots a level may have; a request has no status.
    private static func isTopicOfRequests(_ topic: String) -> Bool {
        let isValid = try? MQTTDialect(
            "mqtt5",
            request: .init(topic, id: .correlationData, source: .responseTopic, method: .userProperty("method")),
            answer: .init(id: .correlationData))
        return isValid != nil && !topic.contains("{status}") && !topic.contains("\0")
    }

    /// Whether a text can be a part of a topic name, and of a topic with slots.
    private static func isPlain(_ text: String) -> Bool { !text.contains { "+#{}\0".contains($0) } }

    private static func isFullTopic(_ topic: String) -> Bool {
        let places = ["%prefix%", "%topic%"]
        let levels = topic.split(separator: "/")
        let rest = places.reduce(topic) { $0.replacing($1, with: "") }
        return places.allSatisfy { topic.ranges(of: $0).count == 1 }
            && !levels.contains { level in places.allSatisfy { level.contains($0) } }
            && Self.isPlain(rest) && !rest.contains("%")
    }
}

// MARK: - What a dialect permits

extension DialectArgument {
    /// Whether parameters are usually text, and not JSON.
    var takesText: Bool { self.kind == .tasmota }

    /// A name of a method, as devices compare it.
    func comparable(_ method: String) -> String { self.kind == .tasmota ? method.lowercased() : method }

    /// Why no call of a method can arrive at a device; `nil` if it can.
    func objection(to method: String) -> String? {
        if self.kind == .zigbee2mqtt, !["get", "set"].contains(method) {
            return "devices of the dialect \(self.kind.rawValue) only have the methods get and set"
        }
        if self.methodIsLevel, method.contains("/") {
            return "the method is one level of the topic, so its name contains no '/'"
        }
        return nil
    }

    /// Why the dialect cannot be used with a version of MQTT; `nil` if it can, or if the version is not known yet.
    ///
    /// - Parameter isNegotiated: Whether the broker has decided the version, and not the user.
    func objection(to version: ProtocolVersion?, isNegotiated: Bool) -> String? {
        guard self.kind == .mqtt5, let version, version < .v5_0 else { return nil }
        let others = Self.names.filter { $0 != self.kind.rawValue }.joined(separator: ", ")
        let reason = isNegotiated ? "the broker only supports \(version)" : "the version is set to \(version)"
        let remedy = isNegotiated ? "choose another dialect" : "leave out -V or choose another dialect"
        return "the dialect mqtt5 needs MQTT 5, but \(reason); \(remedy) (--dialect \(others))."
    }
}

extension PacketProperties {
    /// Throws for properties of PUBLISH, which a dialect decides.
    func requireNoneOfMessages() throws {
        guard !self[.publish].isEmpty else { return }
        throw CommandFailure("The dialect decides the properties of messages; leave out -D publish.")
    }
}
#endif

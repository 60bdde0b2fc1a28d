extension MQTTDialect {
    /// Request and response of MQTT 5.0 (section 4.10): the answer arrives on a topic of this client, and correlation
    /// data identifies its call.
    ///
    /// The payloads are parameters and result, encoded by the client's ``MQTTConfiguration/payloadCoder``. The user
    /// property `error` contains the message of an error, and `error-code` its code; these are also the properties that
    /// ``MQTTClient/respond(to:concurrency:replyTopic:onSubscribed:handler:)`` uses.
    ///
    /// - Parameter topic: The topic of requests. If it contains no `{method}`, the user property `method` names the
    ///   method. Default: `{device}/rpc/{method}`.
    public static func mqtt5(topic: String) -> Self {
        let namesMethod = CallTopic(topic).slots.contains(.method)
        return Self(
            name: "MQTT 5.0",
            request: Request(
                topic, id: .correlationData, source: .responseTopic,
                method: namesMethod ? nil : .userProperty("method")),
            answer: Answer(
                id: .correlationData, errorCode: .userProperty("error-code"),
                errorMessage: .userProperty(MQTTMessage.replyErrorProperty)))
    }

    /// Request and response of MQTT 5.0 with requests on `{device}/rpc/{method}`; see ``mqtt5(topic:)``.
    public static let mqtt5 = Self.mqtt5(topic: "{device}/rpc/{method}")

    /// JSON-RPC as devices with Mongoose OS use it: requests on `{device}/rpc`, answers on `{source}/rpc`.
    ///
    /// - Parameter source: The name of this caller, whose answers arrive on `{source}/rpc`.
    public static func jsonRPC(source: String) -> Self { Self.jsonRPC(calledBy: source) }

    /// JSON-RPC as devices with Mongoose OS use it, with a random name for this caller; see ``jsonRPC(source:)``.
    public static let jsonRPC = Self.jsonRPC(calledBy: nil)

    private static func jsonRPC(calledBy source: String?) -> Self {
        var dialect = Self(
            name: "JSON-RPC", request: Self.frame(["{device}/rpc", "{device}/rpc/{method}"]), answer: Self.frameAnswer)
        dialect.identifiers = .number(bits: 53)
        dialect.listing = .names(method: "RPC.List")
        dialect.source = source
        return dialect
    }

    /// Shelly devices of generation 2 and later: JSON-RPC with requests on `{prefix}/rpc`. The device is the MQTT
    /// prefix of its settings, which is its identifier by default.
    ///
    /// - Parameter source: The name of this caller, whose answers arrive on `{source}/rpc`.
    public static func shelly(source: String) -> Self { Self.shelly(calledBy: source) }

    /// Shelly devices of generation 2 and later, with a random name for this caller; see ``shelly(source:)``.
    public static let shelly = Self.shelly(calledBy: nil)

    static func shelly(calledBy source: String?) -> Self {
        var dialect = Self(name: "Shelly", request: Self.frame(["{device}/rpc"]), answer: Self.frameAnswer)
        dialect.identifiers = .number(bits: 53)
        dialect.listing = .object(method: "Shelly.ListMethods")
        dialect.source = source
        dialect.errorCodes.badParameters = -103
        dialect.errorCodes.timedOut = -104
        return dialect
    }

    private static func frame(_ topics: [String]) -> Request {
        var request = Request(topics, id: "id", source: "src", method: "method", params: "params")
        request.olderParams = "args"
        return request
    }

    private static let frameAnswer = Answer(
        "{source}/rpc", id: "id", source: "src", target: "dst", result: "result", errorCode: "error.code",
        errorMessage: "error.message")

    /// The topics on which ThingsBoard and a device call each other. The device is `me`, because ThingsBoard knows it
    /// by its credentials.
    public static let thingsBoard: Self = {
        var dialect = Self(
            name: "ThingsBoard",
            request: Request("v1/devices/{device}/rpc/request/{id}", method: "method", params: "params"),
            answer: Answer(
                "v1/devices/{device}/rpc/response/{id}", result: .jsonPayload, errorMessage: "error",
                subscribesPerDevice: true))
        dialect.identifiers = .number(bits: 31)
        return dialect
    }()

    /// The topic on which ThingsBoard calls the devices behind a gateway.
    public static let thingsBoardGateway: Self = {
        var dialect = Self(
            name: "ThingsBoard gateway",
            request: Request(
                "v1/gateway/rpc", device: "device", id: "data.id", method: "data.method", params: "data.params"),
            answer: Answer("v1/gateway/rpc", device: "device", id: "id", result: "data", errorMessage: "data.error"))
        dialect.identifiers = .number(bits: 31)
        return dialect
    }()

    /// The bridge of Zigbee2MQTT: `client.device("zigbee2mqtt", .zigbee2MQTTBridge).call("permit_join", ["time": 60])`.
    /// The device is the base topic. Parameters must be an object; otherwise the bridge's answer would not identify the
    /// call.
    public static let zigbee2MQTTBridge: Self = {
        var answer = Answer(
            "{device}/bridge/response/{method...}", id: "transaction", result: "data", errorMessage: "error",
            subscribesPerDevice: true)
        answer.successConstants = ["status": "ok"]
        answer.failureConstants = ["status": "error", "data": [:]]
        var dialect = Self(
            name: "Zigbee2MQTT bridge",
            request: Request("{device}/bridge/request/{method...}", id: "transaction", params: .members),
            answer: answer)
        dialect.answersWithoutIdentifier = true
        return dialect
    }()

    /// A device of Zigbee2MQTT, whose methods are `set` and `get`:
    /// `client.device("lamp", .zigbee2MQTT).call("set", ["state": "ON"])`.
    ///
    /// Zigbee2MQTT does not answer: the result is the next state that contains all values of the parameters by name.
    ///
    /// - Parameter base: The base topic. Default: `zigbee2mqtt`.
    public static func zigbee2MQTT(base: String) -> Self {
        var dialect = Self(
            name: "Zigbee2MQTT", request: Request("\(base)/{device}/{method}", params: .jsonPayload),
            answer: Answer("\(base)/{device}", result: .jsonPayload))
        dialect.identifiers = .absent
        dialect.matching = .state
        return dialect
    }

    /// A device of Zigbee2MQTT with the base topic `zigbee2mqtt`; see ``zigbee2MQTT(base:)``.
    public static let zigbee2MQTT = Self.zigbee2MQTT(base: "zigbee2mqtt")

    /// Devices with Tasmota: `client.device("plug", .tasmota).call("Power", "ON")`. The method is the command; without
    /// parameters, it asks for the current value.
    ///
    /// Tasmota's answers do not identify the call, so a device gets one call at a time, and an answer belongs to the
    /// call if it contains its command. The answer to `Status 0` is its first part.
    ///
    /// - Parameter fullTopic: The setting `FullTopic` of the devices. Default: `%prefix%/%topic%/`.
    public static func tasmota(fullTopic: String) -> Self {
        func topic(_ prefix: String) -> String {
            let text = fullTopic.replacing("%prefix%", with: prefix).replacing("%topic%", with: "{device}")
            return text.hasSuffix("/") ? text : text + "/"
        }
        var dialect = Self(
            name: "Tasmota", request: Request(topic("cmnd") + "{method}", params: .text),
            answer: Answer(topic("stat") + "{method}", result: .jsonPayload))
        dialect.identifiers = .absent
        dialect.matching = .command
        dialect.isSerial = true
        return dialect
    }

    /// Devices with Tasmota and its default topics; see ``tasmota(fullTopic:)``.
    public static let tasmota = Self.tasmota(fullTopic: "%prefix%/%topic%/")

    /// Direct methods of Azure IoT Hub. The topics contain no device, because IoT Hub knows it by its credentials: pass
    /// any name.
    public static let azureIoTHub: Self = {
        var dialect = Self(
            name: "Azure IoT Hub", request: Request("$iothub/methods/POST/{method}/?$rid={id}", params: .jsonPayload),
            answer: Answer(
                "$iothub/methods/res/{status}/?$rid={id}", result: .jsonPayload, errorMessage: "message"))
        // The only filter that IoT Hub documents.
        dialect.requestFilter = "$iothub/methods/POST/#"
        dialect.qos = .atMostOnce
        return dialect
    }()
}

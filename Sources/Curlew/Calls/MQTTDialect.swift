public import CurlewCore

/// The topics and payloads of calls to devices and of their answers.
///
/// Curlew has the dialects of many products, such as ``shelly(source:)`` and ``tasmota(fullTopic:)``. For others,
/// describe the topics and where each value goes:
///
/// ```swift
/// let plant = try MQTTDialect(
///     "plant",
///     request: .init("plant/{device}/command/{method}", id: "token", params: "arguments"),
///     answer: .init("plant/{device}/done", id: "token", result: "value", errorMessage: "reason"))
/// let level: Double = try await client.device("pump-3", plant).call("Level.Get")
/// ```
public struct MQTTDialect: Sendable {
    /// The name of the dialect, for errors and logs.
    public let name: String
    /// The form of requests.
    public let request: Request
    /// The form of answers.
    public let answer: Answer
    /// The QoS of requests and answers. Default: at least once, so that a broker of MQTT 5.0 can report that nobody
    /// has subscribed.
    public var qos = QoS.atLeastOnce
    /// The codes of the errors that ``MQTTClient/serve(_:_:concurrency:onSubscribed:_:)`` itself answers.
    public var errorCodes = ErrorCodes()
    /// Whether a device can handle only one call at a time: then the others wait for their turn. Default: `false`.
    public internal(set) var isSerial = false
    /// How many calls to a device may wait for their turn if ``isSerial``. Default: 100. A call beyond them fails with
    /// the code `queueFull`.
    public var waitingCalls = 100

    /// The form of the identifiers of calls.
    var identifiers = Identifiers.text
    /// How an answer finds its call.
    var matching = Matching.identifier
    /// The built-in method that returns the names of all methods.
    var listing: Listing?
    /// Whether ``Request/source`` has a fixed value.
    var source: String?
    /// Signs requests with a password.
    var signer: (any CallSigner)?
    /// Whether a device also answers requests without an identifier.
    var answersWithoutIdentifier = false
    /// The filter of all requests, if it is not made from the topic.
    var requestFilter: String?

    /// Whether requests and answers have the same topic.
    let sharesTopic: Bool
    /// What to read of the payload of a request, of an answer on its arrival, and of an answer.
    let places: (request: CallPlaces, arrival: CallPlaces, answer: CallPlaces)

    enum Identifiers: Sendable {
        /// 128 random bits as text.
        case text
        /// A whole number of at most this many random bits.
        case number(bits: Int)
        /// None.
        case absent
    }

    enum Matching: Sendable {
        /// By the identifier of the call.
        case identifier
        /// By the command, which names the result (Tasmota).
        case command
        /// By the names of the requested values in the next state (Zigbee2MQTT).
        case state
    }

    enum Listing: Sendable {
        /// An array of names.
        case names(method: String)
        /// An object with an array `methods`.
        case object(method: String)
    }

    init(name: String, request: Request, answer: Answer) {
        self.name = name
        self.request = request
        self.answer = answer
        self.sharesTopic = request.topics.contains { answer.topics.contains($0) }
        self.places = (
            request: CallPlaces([
                (request.device, .text), (request.method, .text), (request.id, .id), (request.source, .text),
                (self.sharesTopic ? answer.id : nil, .id), (request.params, .presence),
                (request.olderParams, .presence),
            ]),
            arrival: CallPlaces([(answer.id, .id), (answer.device, .text)]),
            answer: CallPlaces([(answer.errorCode, .json), (answer.errorMessage, .json)])
        )
    }

    /// Describes a dialect.
    ///
    /// A value can be in a topic, by its name in braces, and in the payload or the properties, by its place. In
    /// topics: `{device}`, `{method}`, `{id}` (the identifier of the call), `{source}` (the name of the caller), and in
    /// the topics of answers `{status}` (a number, from 300 for errors).
    ///
    /// - Parameters:
    ///   - name: The name of the dialect, for errors and logs.
    ///   - request: The form of requests.
    ///   - answer: The form of answers.
    ///   - isSerial: Whether a device can handle only one call at a time. Without an identifier in request and answer,
    ///     this is always so, and the next answer of the device belongs to the call. Default: `false`.
    ///   - numericIdentifiers: Whether identifiers are numbers below 2⁵³. Default: `false`, text of 32 characters.
    /// - Throws: ``MQTTError`` with code `invalidArgument` if a topic is not valid, or a value has no place.
    public init(
        _ name: String, request: Request, answer: Answer, isSerial: Bool = false, numericIdentifiers: Bool = false
    ) throws(MQTTError) {
        self.init(name: name, request: request, answer: answer)
        if let objection = Self.objection(request, answer) {
            throw MQTTError(.invalidArgument, "The dialect \"\(name)\" is not valid: \(objection)")
        }
        let hasIdentifier = request.has(.id) && answer.has(.id)
        self.identifiers = !hasIdentifier ? .absent : numericIdentifiers ? .number(bits: 53) : .text
        self.isSerial = isSerial || !hasIdentifier
    }

    private static func objection(_ request: Request, _ answer: Answer) -> String? {
        if let objection = (request.topics + answer.allTopics).lazy.compactMap(\.objection).first { return objection }
        if !request.has(.device) { return "the request names no device: put {device} in its topic." }
        if !request.has(.method) { return "the request names no method: put {method} in its topic or give its place." }
        if request.has(.id) != answer.has(.id) {
            return "either both request and answer contain the identifier of the call, or neither does."
        }
        let usesResponseTopic = request.source == .responseTopic
        if answer.topics.isEmpty != usesResponseTopic {
            return usesResponseTopic
                ? "with `source: .responseTopic`, the answer has no topic of its own."
                : "the answer needs a topic."
        }
        if !answer.has(.id), !answer.topics.contains(where: { $0.slots.contains(.device) }) {
            return "nothing identifies the call of an answer: neither an identifier nor {device} in its topic."
        }
        return nil
    }
}

extension MQTTDialect: CustomStringConvertible {
    /// The name of the dialect.
    public var description: String { self.name }
}

extension MQTTDialect {
    /// The place of a value in a message. A string literal is a JSON path, such as `"error.code"`.
    public struct Place: Sendable, Hashable, ExpressibleByStringLiteral {
        enum Kind: Sendable, Hashable {
            case json([String])
            case payload
            case jsonPayload
            case text
            case correlationData
            case responseTopic
            case userProperty(String)
        }

        let kind: Kind

        /// The names of nested members of a JSON object, with dots between them.
        public static func json(_ path: String) -> Self {
            Self(kind: .json(path.split(separator: ".").map(String.init)))
        }
        /// The members of the JSON object that is the payload, next to the other values of the payload.
        public static let members = Self(kind: .json([]))
        /// The whole payload, encoded by the client's ``MQTTConfiguration/payloadCoder``.
        public static let payload = Self(kind: .payload)
        /// The whole payload, always in JSON.
        public static let jsonPayload = Self(kind: .jsonPayload)
        /// The whole payload: the text of a string without quotes; JSON for all other values.
        public static let text = Self(kind: .text)
        /// The Correlation Data of MQTT 5.0.
        public static let correlationData = Self(kind: .correlationData)
        /// The Response Topic of MQTT 5.0, which names a topic of this client.
        public static let responseTopic = Self(kind: .responseTopic)
        /// A user property of MQTT 5.0.
        public static func userProperty(_ name: String) -> Self { Self(kind: .userProperty(name)) }

        /// A JSON path, such as `"error.code"`.
        public init(stringLiteral path: String) { self = .json(path) }
        private init(kind: Kind) { self.kind = kind }

        /// Whether only MQTT 5.0 has this place.
        var needsProperties: Bool {
            switch self.kind {
            case .json, .payload, .jsonPayload, .text: false
            case .correlationData, .responseTopic, .userProperty: true
            }
        }
    }

    /// The form of requests: the topic, and the places of the values that it does not contain.
    public struct Request: Sendable {
        /// The topic, and others on which a device also receives requests.
        let topics: [CallTopic]
        let device: Place?
        let id: Place?
        let source: Place?
        let method: Place?
        let params: Place
        /// Another place of the parameters, which old callers use.
        var olderParams: Place?

        /// Creates a form.
        ///
        /// - Parameters:
        ///   - topic: The topic, such as `{device}/rpc/{method}`.
        ///   - device: The place of the device's name. Default: only in the topic.
        ///   - id: The place of the call's identifier. Default: only in the topic, if at all.
        ///   - source: The place of the caller's name. Default: only in the topic, if at all.
        ///   - method: The place of the method's name. Default: only in the topic.
        ///   - params: The place of the parameters. Default: the payload.
        public init(
            _ topic: String, device: Place? = nil, id: Place? = nil, source: Place? = nil, method: Place? = nil,
            params: Place = .payload
        ) {
            self.init([topic], device: device, id: id, source: source, method: method, params: params)
        }

        init(
            _ topics: [String], device: Place? = nil, id: Place? = nil, source: Place? = nil, method: Place? = nil,
            params: Place = .payload
        ) {
            self.topics = topics.map { CallTopic($0) }
            self.device = device
            self.id = id
            self.source = source
            self.method = method
            self.params = params
        }

        func has(_ slot: CallSlot) -> Bool {
            let place: Place? =
                switch slot {
                case .device: self.device
                case .id: self.id
                case .source: self.source
                case .method: self.method
                case .status: nil
                }
            return place != nil || self.topics.contains { $0.slots.contains(slot) }
        }
    }

    /// The form of answers: the topics, and the places of the values that they do not contain.
    public struct Answer: Sendable, Hashable {
        let topics: [CallTopic]
        let errorTopics: [CallTopic]
        let device: Place?
        let id: Place?
        let source: Place?
        let target: Place?
        let result: Place
        let errorCode: Place?
        let errorMessage: Place?
        /// Further values of an answer with a result.
        var successConstants: [String: JSONValue] = [:]
        /// Further values of an answer with an error.
        var failureConstants: [String: JSONValue] = [:]
        /// Whether the filter of the answers names the device. If not, one subscription is for all devices.
        let namesDevice: Bool

        /// Creates a form.
        ///
        /// An answer is an error if it has an error code or an error message, if it arrives on one of the error topics,
        /// or if its topic contains a `{status}` of 300 or more.
        ///
        /// - Parameters:
        ///   - topics: The topics on which answers arrive. None with ``Place/responseTopic``.
        ///   - errorTopics: Topics on which only errors arrive. Default: none.
        ///   - device: The place of the device's name. Default: only in the topic, if at all.
        ///   - id: The place of the call's identifier. Default: only in the topic, if at all.
        ///   - source: The place where a device puts its own name. Default: none.
        ///   - target: The place where a device repeats the name of the caller. Default: none.
        ///   - result: The place of the result. Default: the payload.
        ///   - errorCode: The place of the error code. Default: none.
        ///   - errorMessage: The place of the error message. Default: none.
        ///   - subscribesPerDevice: Whether to subscribe to the answers of each device on its own, for brokers that do
        ///     not permit a wildcard in place of `{device}`. Default: `false`, one subscription for all devices.
        public init(
            _ topics: String..., errorTopics: [String] = [], device: Place? = nil, id: Place? = nil,
            source: Place? = nil, target: Place? = nil, result: Place = .payload, errorCode: Place? = nil,
            errorMessage: Place? = nil, subscribesPerDevice: Bool = false
        ) {
            self.topics = topics.map { CallTopic($0) }
            self.errorTopics = errorTopics.map { CallTopic($0) }
            self.allTopics = self.topics + self.errorTopics
            self.slots = self.allTopics.reduce(into: []) { $0.formUnion($1.slots) }
            self.device = device
            self.id = id
            self.source = source
            self.target = target
            self.result = result
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.namesDevice = subscribesPerDevice
        }

        /// The topics and the error topics.
        let allTopics: [CallTopic]
        /// The slots of all topics.
        let slots: Set<CallSlot>

        func has(_ slot: CallSlot) -> Bool {
            (slot == .id && self.id != nil) || self.topics.contains { $0.slots.contains(slot) }
        }

        /// Each call looks up its answers by this form, so only a part of it is hashed.
        public func hash(into hasher: inout Hasher) { hasher.combine(self.topics.first?.text) }
    }

    /// The codes of the errors that a server of calls answers by itself.
    public struct ErrorCodes: Sendable {
        /// There is no such method. Default: 404.
        public var unknownMethod: JSONValue = 404
        /// The parameters do not have the form that the method needs. Default: 400.
        public var badParameters: JSONValue = 400
        /// The handler failed with an error that is not an ``MQTTDeviceError``. Default: 500.
        public var failed: JSONValue = 500
        /// The handler did not finish within the method's time limit. Default: 408.
        public var timedOut: JSONValue = 408

        /// The default codes, which are those of HTTP.
        public init() {}
    }
}

import CurlewCore
import NIOCore

// The device's side: decodes requests, encodes answers.
extension MQTTDialect {
    /// The filters of the topics on which the requests of a device arrive.
    func requestFilters(_ device: String) -> [String] {
        if let requestFilter { return [requestFilter] }
        return self.request.topics.map { $0.filter(with: CallSlots(device: device)) }
    }

    /// A decoded request.
    struct ReceivedRequest: Sendable {
        let method: String
        let source: String?
        /// Where the answer goes; `nil` if the caller wants none.
        let answer: AnswerAddress?
        /// The place of the parameters.
        let params: Place
        /// Whether there are parameters.
        let hasParams: Bool
    }

    /// Where the answer to a request goes, and what it repeats.
    struct AnswerAddress: Sendable {
        fileprivate let device: String
        fileprivate let method: String
        fileprivate let id: CallID?
        fileprivate let source: String?
        /// Of MQTT 5.0.
        fileprivate let responseTopic: String?
        fileprivate let correlationData: ByteBuffer?
    }

    /// Identifies a request among those of its device.
    struct RequestKey: Sendable, Hashable {
        /// The caller: its name or its response topic.
        fileprivate let caller: String
        fileprivate let id: String
        fileprivate let correlationData: ByteBuffer?
        /// Its payload tells requests with equal identifiers apart.
        private let message: MQTTMessage
        /// A hash of all of this, which is computed once.
        private let hash: Int

        fileprivate init(caller: String, id: String, correlationData: ByteBuffer?, message: MQTTMessage) {
            self.caller = caller
            self.id = id
            self.correlationData = correlationData
            self.message = message
            var hasher = Hasher()
            hasher.combine(caller)
            hasher.combine(id)
            hasher.combine(correlationData)
            message.withPayload { hasher.combine(bytes: $0) }
            self.hash = hasher.finalize()
        }

        /// Whether no other request can have it by chance, as with callers that always send the identifier 1.
        var isUnguessable: Bool {
            if let correlationData { return correlationData.readableBytes >= 16 }
            return self.id.utf8.count >= 16 || Int64(self.id).map { $0 > 1 << 32 } ?? false
        }

        static func == (left: Self, right: Self) -> Bool {
            guard left.hash == right.hash, left.id == right.id, left.caller == right.caller,
                left.correlationData == right.correlationData
            else { return false }
            return left.message.isSame(as: right.message)
                || left.message.withPayload { left in right.message.withPayload { left.elementsEqual($0) } }
        }

        func hash(into hasher: inout Hasher) { hasher.combine(self.hash) }

        /// The bytes that it keeps.
        var byteCount: Int { self.caller.utf8.count + self.id.utf8.count + self.message.footprint }
    }

    /// The key of a request; `nil` if nothing identifies it.
    func key(of message: MQTTMessage, _ address: AnswerAddress) -> RequestKey? {
        if self.usesResponseTopic {
            guard let data = address.correlationData, data.readableBytes > 0 else { return nil }
            return RequestKey(
                caller: address.responseTopic ?? "", id: address.method, correlationData: data,
                message: message)
        }
        return address.id.map {
            RequestKey(caller: address.source ?? "", id: $0.text, correlationData: nil, message: message)
        }
    }

    /// The name of a method, as it is compared: Tasmota ignores case.
    func comparable(_ method: String) -> String { self.matching == .command ? method.lowercased() : method }

    /// Decodes a request for a device; `nil` if the message is none.
    func request(in message: MQTTMessage, for device: String) -> ReceivedRequest? {
        guard !message.isRetained else { return nil }
        let levels = Self.levels(of: device)
        let topic = message.topic.string
        guard let values = self.request.topics.lazy.compactMap({ $0.values(in: topic, deviceLevels: levels) }).first
        else { return nil }
        let reader = CallReader<NoValue>(message, self.places.request)
        if let place = self.request.device, reader.text(at: place) != device { return nil }
        guard let method = values[.method] ?? reader.text(at: self.request.method) else { return nil }
        // States and availability arrive on similar topics.
        if self.matching == .state, !["set", "get"].contains(method) { return nil }
        // Requests and answers share a topic: an answer is no request.
        if self.sharesTopic, reader.id(at: self.answer.id) != nil { return nil }
        let id = values[.id].map { CallID($0) } ?? reader.id(at: self.request.id)
        let source = values[.source] ?? reader.text(at: self.request.source)
        // Devices drop a request that wants an answer and does not say where to.
        if id != nil, self.needsSource, source == nil { return nil }
        let address = AnswerAddress(
            device: device, method: method, id: id, source: source,
            responseTopic: message.properties.responseTopic, correlationData: message.properties.correlationData)
        var params = self.request.params
        if let older = self.request.olderParams, !reader.hasValue(at: params), reader.hasValue(at: older) {
            params = older
        }
        return ReceivedRequest(
            method: method, source: source, answer: self.canAnswer(address) ? address : nil, params: params,
            hasParams: reader.hasValue(at: params))
    }

    private func canAnswer(_ address: AnswerAddress) -> Bool {
        if self.usesResponseTopic { return address.responseTopic != nil }
        if case .absent = self.identifiers { return true }
        // The caller of a request without an identifier wants no answer.
        return address.id != nil || self.answersWithoutIdentifier
    }

    /// Whether an answer goes to a topic with the name of the caller.
    private var needsSource: Bool { self.answer.topics.contains { $0.slots.contains(.source) } }

    /// An answer, ready to be sent.
    struct EncodedAnswer: Sendable {
        let topic: String
        let payload: ByteBuffer
        let properties: MessageProperties

        /// The bytes that it keeps.
        var byteCount: Int { self.payload.readableBytes + self.topic.utf8.count + self.properties.byteCount }
    }

    /// Encodes the answer to a request; `nil` if the dialect has none.
    ///
    /// - Throws: What the coder throws.
    func encode(
        _ result: Result<any Encodable & Sendable, MQTTDeviceError>, to address: AnswerAddress,
        coder: any MQTTPayloadCoder
    ) throws -> EncodedAnswer? {
        // A failure has no state.
        if case .failure = result, self.matching == .state { return nil }
        var writer = CallWriter(coder)
        if let place = self.answer.device { try writer.put(address.device, at: place) }
        if let place = self.answer.id, place != .correlationData, let id = address.id { try writer.put(id, at: place) }
        if let place = self.answer.source { try writer.put(address.device, at: place) }
        if let place = self.answer.target, let source = address.source { try writer.put(source, at: place) }
        var values = CallSlots(
            device: address.device, method: address.method, id: address.id?.text, source: address.source)
        var template = self.answer.topics.first
        switch result {
        case .success(let value):
            for (name, constant) in self.answer.successConstants { writer.body.put(constant, at: [name]) }
            values[.status] = "200"
            if self.matching == .command {
                // Tasmota's results arrive on one topic, under the name of the command.
                values[.method] = "RESULT"
                writer.body.put(value, at: [address.method])
            } else {
                try writer.put(value, at: self.answer.result)
            }
        case .failure(let error):
            for (name, constant) in self.answer.failureConstants { writer.body.put(constant, at: [name]) }
            let code = error.code ?? self.errorCodes.failed
            let status = code.integer.flatMap { (300...999).contains($0) ? String($0) : nil }
            values[.status] = status ?? self.errorCodes.failed.plainText
            if self.matching == .command {
                values[.method] = "RESULT"
                writer.body.put(code == self.errorCodes.unknownMethod ? "Unknown" : "Error", at: ["Command"])
            }
            if let place = self.answer.errorCode { try writer.put(code, at: place) }
            if let place = self.answer.errorMessage { try writer.put(error.message, at: place) }
            if let topic = self.answer.errorTopics.first {
                template = topic
                if self.answer.errorMessage == nil { try writer.put(error.message, at: .text) }
            }
        }
        let payload = try writer.payload()
        var properties = writer.properties
        if self.usesResponseTopic { properties.correlationData = address.correlationData }
        return EncodedAnswer(
            topic: self.usesResponseTopic ? address.responseTopic ?? "" : template?.filled(with: values) ?? "",
            payload: payload, properties: properties)
    }

    /// The built-in method that returns the names of all methods.
    func listing(_ methods: [String]) -> (method: String, answer: any Encodable & Sendable)? {
        switch self.listing {
        case .names(let method)?: (method, methods.sorted())
        case .object(let method)?: (method, ["methods": methods.sorted()])
        case nil: nil
        }
    }
}

import CurlewCore
import NIOCore

// The caller's side: encodes requests, finds the call that an answer belongs to, decodes answers.
extension MQTTDialect {
    /// What a call asks for.
    struct Inquiry: Sendable {
        let device: String
        let method: String
        let params: (any Encodable & Sendable)?
    }

    /// A request, ready to be sent.
    struct EncodedRequest {
        let topic: String
        let payload: ByteBuffer
        let properties: MessageProperties
    }

    /// Whether requests need properties of MQTT 5.0.
    var needsProperties: Bool {
        [self.request.device, self.request.id, self.request.source, self.request.method, self.request.params]
            .contains { $0?.needsProperties ?? false }
    }

    /// Encodes a request.
    ///
    /// - Throws: ``MQTTError`` with code `invalidArgument` if the values cannot be encoded.
    func encode(
        _ inquiry: Inquiry, id: CallID?, source: String, coder: any MQTTPayloadCoder,
        signature: (path: [String], value: any Encodable & Sendable)? = nil
    ) throws(MQTTError) -> EncodedRequest {
        var values: [CallSlot: String] = [.device: inquiry.device, .method: inquiry.method, .source: source]
        values[.id] = id?.text
        var writer = CallWriter(coder)
        do {
            if let place = self.request.device { try writer.put(inquiry.device, at: place) }
            if let place = self.request.method { try writer.put(inquiry.method, at: place) }
            if let place = self.request.source, place != .responseTopic { try writer.put(source, at: place) }
            if let place = self.request.id, place != .correlationData, let id { try writer.put(id, at: place) }
            if let signature { writer.body.put(signature.value, at: signature.path) }
            if let params = inquiry.params { try writer.put(params, at: self.request.params) }
            let payload = try writer.payload()
            return EncodedRequest(
                topic: self.request.topics[0].filled(with: values), payload: payload, properties: writer.properties)
        } catch let error as MQTTError {
            throw error.with(delivery: .notSent)
        } catch {
            throw MQTTError(
                .invalidArgument, "The parameters of \(inquiry.method) cannot be encoded: \(error)",
                delivery: .notSent, cause: error)
        }
    }

    // MARK: Where answers arrive

    /// The filters of the topics on which the answers of a device arrive.
    func answerFilters(_ device: String, source: String) -> [String] {
        var values: [CallSlot: String] = [.source: source]
        if self.answer.namesDevice { values[.device] = device }
        let levels = Self.levels(of: device)
        var filters = self.answer.allTopics.map { $0.filter(with: values, deviceLevels: levels) }
        // The same topic may be written with different slots.
        filters = filters.enumerated().filter { !filters[..<$0.offset].contains($0.element) }.map(\.element)
        return filters
    }

    static func levels(of device: String) -> Int { device.utf8.reduce(1) { $1 == UInt8(ascii: "/") ? $0 + 1 : $0 } }

    /// What identifies the call that a message answers: its identifier, or the device for dialects without identifiers;
    /// `nil` if the message is not an answer.
    ///
    /// - Parameter deviceLevels: The number of levels of the devices whose answers arrive on the message's filter.
    func key(of message: MQTTMessage, deviceLevels: Int) -> String? {
        guard !message.isRetained else { return nil }
        let values = self.values(in: message, deviceLevels: deviceLevels)
        switch self.identifiers {
        case .absent: return values?[.device]
        case .text, .number:
            if let id = values?[.id] { return id }
            guard let place = self.answer.id, let id: CallID = CallReader(message).probe(place) else { return nil }
            return id.text
        }
    }

    private func values(in message: MQTTMessage, deviceLevels: Int) -> [CallSlot: String]? {
        self.answer.allTopics.lazy.compactMap {
            $0.slots.isEmpty ? nil : $0.values(in: message.topic.string, deviceLevels: deviceLevels)
        }.first
    }

    /// Whether a message can be the answer to a call of its device, for dialects without identifiers.
    func isAnswer(_ message: MQTTMessage, to inquiry: Inquiry) -> Bool {
        switch self.matching {
        case .identifier: self.isFromDevice(message, inquiry.device)
        case .command: TasmotaCommand(inquiry).isAnswered(by: message)
        case .state: StateQuestion(inquiry).isAnswered(by: message)
        }
    }

    /// Whether an answer does not name another device. The source of JSON-RPC is not compared, because that of a Shelly
    /// device may differ from its topic.
    private func isFromDevice(_ message: MQTTMessage, _ device: String) -> Bool {
        if self.answer.allTopics.contains(where: { $0.slots.contains(.device) }),
            let named = self.values(in: message, deviceLevels: Self.levels(of: device))?[.device], named != device
        {
            return false
        }
        guard let place = self.answer.device, let named: String = CallReader(message).probe(place) else { return true }
        return named == device
    }

    // MARK: Answers

    /// Decodes an answer.
    func outcome<Answer: Decodable & Sendable>(
        of reply: MQTTMessage, to inquiry: Inquiry, as type: Answer.Type, coder: any MQTTPayloadCoder
    ) -> MQTTCallOutcome<Answer> {
        let reader = CallReader(reply)
        if let error = self.error(in: reply, reader, inquiry) { return .deviceError(error) }
        do {
            return .answered(try reader.value(type, at: self.answer.result, coder))
        } catch {
            var error = MQTTError(of: error)
            error.message =
                "The answer of \(inquiry.device) to \(inquiry.method) has an unexpected form: \(error.message)"
            return .badReply(error)
        }
    }

    private func error(in reply: MQTTMessage, _ reader: CallReader, _ inquiry: Inquiry) -> MQTTDeviceError? {
        if self.matching == .command, let error = TasmotaCommand(inquiry).error(in: reply) { return error }
        let levels = Self.levels(of: inquiry.device)
        let topic = reply.topic.string
        let status = self.answer.topics.lazy.compactMap { $0.values(in: topic, deviceLevels: levels)?[.status] }.first
        var code: JSONValue? = self.answer.errorCode.flatMap { reader.probe($0) }
        let said: JSONValue? = self.answer.errorMessage.flatMap { reader.probe($0) }
        if let status, let number = Int64(status) {
            guard number >= 300 else { return nil }
            code = .integer(number)
        } else if self.answer.errorTopics.contains(where: { $0.values(in: topic, deviceLevels: levels) != nil }) {
            return MQTTDeviceError(code, said?.plainText ?? reply.text)
        }
        guard code != nil || said != nil else { return nil }
        return MQTTDeviceError(code, said?.plainText ?? (status == nil ? "" : reply.text))
    }
}

extension JSONValue {
    /// A string as it is; other values as JSON.
    var plainText: String {
        if case .string(let text) = self { return text }
        guard let json = try? CallBody.json(self) else { return "" }
        return String(buffer: json)
    }
}

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
        let values = CallSlots(device: inquiry.device, method: inquiry.method, id: id?.text, source: source)
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
        let values = CallSlots(device: self.answer.namesDevice ? device : nil, source: source)
        let levels = Self.levels(of: device)
        // The same topic may be written with different slots.
        return self.answer.allTopics.reduce(into: []) { filters, topic in
            let filter = topic.filter(with: values, deviceLevels: levels)
            if !filters.contains(filter) { filters.append(filter) }
        }
    }

    static func levels(of device: String) -> Int { device.utf8.reduce(1) { $1 == UInt8(ascii: "/") ? $0 + 1 : $0 } }

    /// What identifies the call that a message answers: its identifier, or the device for dialects without identifiers;
    /// `nil` if the message is not an answer.
    ///
    /// - Parameter deviceLevels: The number of levels of the devices whose answers arrive on the message's filter.
    func key(of message: MQTTMessage, deviceLevels: Int) -> String? {
        guard !message.isRetained else { return nil }
        switch self.identifiers {
        case .absent: return self.value(of: .device, in: message, deviceLevels)
        case .text, .number:
            if let id = self.value(of: .id, in: message, deviceLevels) { return id }
            guard let place = self.answer.id else { return nil }
            return CallReader<NoValue>(message, self.places.arrival).id(at: place)?.text
        }
    }

    /// The value of a slot in the topic of an answer.
    private func value(of slot: CallSlot, in message: MQTTMessage, _ deviceLevels: Int) -> String? {
        guard self.answer.slots.contains(slot) else { return nil }
        let topic = message.topic.string
        return self.answer.allTopics.lazy.compactMap {
            $0.slots.isEmpty ? nil : $0.values(in: topic, deviceLevels: deviceLevels)
        }.first?[slot]
    }

    /// Whether a message with the identifier of a call may be another one than its answer.
    var mustCheckAnswers: Bool {
        self.matching != .identifier || self.answer.slots.contains(.device) || self.answer.device != nil
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
        if let named = self.value(of: .device, in: message, Self.levels(of: device)), named != device { return false }
        guard let place = self.answer.device,
            let named = CallReader<NoValue>(message, self.places.arrival).text(at: place)
        else { return true }
        return named == device
    }

    // MARK: Answers

    /// Decodes an answer.
    func outcome<Answer: Decodable & Sendable>(
        of reply: MQTTMessage, to inquiry: Inquiry, as type: Answer.Type = Answer.self, coder: any MQTTPayloadCoder
    ) -> MQTTCallOutcome<Answer> {
        let reader = CallReader<Answer>(reply, self.places.answer, value: self.answer.result)
        if let error = self.error(in: reply, reader, inquiry) { return .deviceError(error) }
        do {
            return .answered(try reader.value(coder))
        } catch {
            var error = MQTTError(of: error)
            error.message =
                "The answer of \(inquiry.device) to \(inquiry.method) has an unexpected form: \(error.message)"
            return .badReply(error)
        }
    }

    private func error<Answer>(
        in reply: MQTTMessage, _ reader: CallReader<Answer>, _ inquiry: Inquiry
    ) -> MQTTDeviceError? {
        if self.matching == .command, let error = TasmotaCommand(inquiry).error(in: reply) { return error }
        let levels = Self.levels(of: inquiry.device)
        let status = self.value(of: .status, in: reply, levels)
        var code = reader.json(at: self.answer.errorCode)
        let said = reader.json(at: self.answer.errorMessage)
        if let status, let number = Int64(status) {
            guard number >= 300 else { return nil }
            code = .integer(number)
        } else if self.answer.errorTopics.contains(where: {
            $0.values(in: reply.topic.string, deviceLevels: levels) != nil
        }) {
            return MQTTDeviceError(code, said?.plainText ?? reply.text)
        }
        guard code != nil || said != nil else { return nil }
        return MQTTDeviceError(code, said?.plainText ?? (status == nil ? "" : reply.text))
    }
}

extension JSONValue {
    /// A string as it is; other values as JSON.
    var plainText: String { if case .string(let text) = self { text } else { self.description } }
}

/// A device whose methods can be called; see ``MQTTClient/device(_:_:)``.
public struct MQTTDevice: Sendable {
    /// The name of the device in its topics.
    public let name: String
    /// The dialect of the device.
    public let dialect: MQTTDialect
    let engine: ClientEngine

    /// Calls a method with parameters and returns the answer.
    ///
    /// ```swift
    /// let status: Status = try await client.device("shellyplus1-a8", .shelly).call("Switch.GetStatus", ["id": 0])
    /// ```
    ///
    /// - Parameters:
    ///   - method: The name of the method.
    ///   - params: The parameters: any `Encodable` value.
    ///   - type: The type of the answer.
    ///   - limit: How long to wait for the answer, including the first subscription to answers and, for devices that
    ///     handle one call at a time, earlier calls. Default: 5 seconds. With MQTT 5.0, it is also the expiry interval
    ///     of the request.
    /// - Throws: ``MQTTError``: `requestFailed` if the device answered with an error, which is
    ///   ``MQTTError/deviceError``; `noMatchingSubscribers` if the device is off and the broker says so; `timedOut` if
    ///   it did not answer; `decodingFailed` if the answer has another form; `cancelled`; and with
    ///   ``MQTTError/delivery`` `notSent`, whatever kept the request from being sent.
    public nonisolated(nonsending) func call<Answer: Decodable & Sendable>(
        _ method: String, _ params: some Encodable & Sendable, as type: Answer.Type = Answer.self,
        within limit: Duration = .seconds(5)
    ) async throws -> Answer {
        try await self.call(.init(device: self.name, method: method, params: params), type, limit)
    }

    /// Calls a method without parameters and returns the answer; otherwise the same as `call(_:_:as:within:)`.
    public nonisolated(nonsending) func call<Answer: Decodable & Sendable>(
        _ method: String, as type: Answer.Type = Answer.self, within limit: Duration = .seconds(5)
    ) async throws -> Answer {
        try await self.call(.init(device: self.name, method: method, params: nil), type, limit)
    }

    /// Calls a method with parameters in JSON and returns the answer as JSON; otherwise the same as
    /// `call(_:_:as:within:)`.
    @discardableResult
    public nonisolated(nonsending) func call(
        _ method: String, _ params: JSONValue, within limit: Duration = .seconds(5)
    ) async throws -> JSONValue {
        try await self.call(.init(device: self.name, method: method, params: params), JSONValue.self, limit)
    }

    /// Calls a method with parameters in JSON and returns the answer; otherwise the same as `call(_:_:as:within:)`.
    public nonisolated(nonsending) func call<Answer: Decodable & Sendable>(
        _ method: String, _ params: JSONValue, as type: Answer.Type = Answer.self, within limit: Duration = .seconds(5)
    ) async throws -> Answer {
        try await self.call(.init(device: self.name, method: method, params: params), type, limit)
    }

    /// Calls a method without parameters and returns the answer as JSON; otherwise the same as
    /// `call(_:_:as:within:)`.
    @discardableResult
    public nonisolated(nonsending) func call(
        _ method: String, within limit: Duration = .seconds(5)
    ) async throws -> JSONValue {
        try await self.call(.init(device: self.name, method: method, params: nil), JSONValue.self, limit)
    }

    private nonisolated(nonsending) func call<Answer: Decodable & Sendable>(
        _ inquiry: MQTTDialect.Inquiry, _ type: Answer.Type, _ limit: Duration
    ) async throws(MQTTError) -> Answer {
        try await self.engine.call(inquiry, self.dialect, as: type, within: limit).answer(within: limit)
    }

    func callBlocking<Answer: Decodable & Sendable>(
        _ inquiry: MQTTDialect.Inquiry, _ type: Answer.Type, _ limit: Duration
    ) throws(MQTTError) -> Answer {
        try self.engine.callBlocking(inquiry, self.dialect, as: type, within: limit).answer(within: limit)
    }
}

extension MQTTCallResult {
    fileprivate func answer(within limit: Duration) throws(MQTTError) -> Answer {
        if case .timedOut = self.outcome { throw .noAnswer(self.device, self.method, within: limit) }
        return try self.get()
    }
}

extension MQTTClient {
    /// A device whose methods can be called.
    ///
    /// ```swift
    /// let plug = client.device("plug", .tasmota)
    /// try await plug.call("Power", "ON")
    /// ```
    ///
    /// Creates no state and sends nothing. The first call subscribes to the answers; all calls of the client with the
    /// same dialect share this subscription.
    ///
    /// - Parameters:
    ///   - name: The name of the device in its topics. It may contain `/`.
    ///   - dialect: The dialect of the device.
    public func device(_ name: String, _ dialect: MQTTDialect) -> MQTTDevice {
        MQTTDevice(name: name, dialect: dialect, engine: self.engine)
    }

    /// Several devices whose methods can be called at once; see ``MQTTDevices``.
    ///
    /// - Parameters:
    ///   - names: The names of the devices in their topics.
    ///   - dialect: The dialect of the devices.
    public func devices(_ names: some Sequence<String>, _ dialect: MQTTDialect) -> MQTTDevices {
        MQTTDevices(names: Array(names), dialect: dialect, engine: self.engine)
    }
}

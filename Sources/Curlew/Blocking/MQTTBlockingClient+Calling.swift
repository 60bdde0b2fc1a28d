extension MQTTBlockingClient {
    /// A device whose methods can be called; see ``MQTTClient/device(_:_:)``.
    public func device(_ name: String, _ dialect: MQTTDialect) -> MQTTBlockingDevice {
        MQTTBlockingDevice(self.client.device(name, dialect))
    }

    /// Several devices whose methods can be called at once; see ``MQTTClient/devices(_:_:)``.
    public func devices(_ names: some Sequence<String>, _ dialect: MQTTDialect) -> MQTTBlockingDevices {
        MQTTBlockingDevices(self.client.devices(names, dialect))
    }
}

/// A device whose methods can be called by code without async; see ``MQTTDevice``.
public struct MQTTBlockingDevice: Sendable {
    /// The device with the async methods.
    public let device: MQTTDevice

    init(_ device: MQTTDevice) { self.device = device }

    /// Calls a method with parameters and returns the answer; see ``MQTTDevice``.
    public func call<Answer: Decodable & Sendable>(
        _ method: String, _ params: some Encodable & Sendable, as type: Answer.Type = Answer.self,
        within limit: Duration = .seconds(5)
    ) throws(MQTTError) -> Answer {
        try self.device.callBlocking(.init(device: self.device.name, method: method, params: params), type, limit)
    }

    /// Calls a method without parameters and returns the answer; see ``MQTTDevice/call(_:as:within:)``.
    public func call<Answer: Decodable & Sendable>(
        _ method: String, as type: Answer.Type = Answer.self, within limit: Duration = .seconds(5)
    ) throws(MQTTError) -> Answer {
        try self.device.callBlocking(.init(device: self.device.name, method: method, params: nil), type, limit)
    }

    /// Calls a method with parameters in JSON and returns the answer as JSON.
    @discardableResult
    public func call(
        _ method: String, _ params: JSONValue, within limit: Duration = .seconds(5)
    ) throws(MQTTError) -> JSONValue {
        try self.call(method, params, as: JSONValue.self, within: limit)
    }

    /// Calls a method without parameters and returns the answer as JSON.
    @discardableResult
    public func call(_ method: String, within limit: Duration = .seconds(5)) throws(MQTTError) -> JSONValue {
        try self.call(method, as: JSONValue.self, within: limit)
    }
}

/// Several devices whose methods can be called at once by code without async; see ``MQTTDevices``.
public struct MQTTBlockingDevices: Sendable {
    /// The devices with the async methods.
    public let devices: MQTTDevices

    init(_ devices: MQTTDevices) { self.devices = devices }

    /// Calls a method of each device, with parameters in JSON. Returns the results in the order in which they arrived,
    /// one for each device.
    ///
    /// - Parameters: Those of ``MQTTDevices/call(_:_:as:atOnce:within:)``.
    /// - Throws: ``MQTTError`` with code `invalidArgument` or `mustNotBlock`.
    public func call<Answer: Decodable & Sendable>(
        _ method: String, _ params: JSONValue? = nil, as type: Answer.Type = JSONValue.self, atOnce width: Int = 100,
        within limit: Duration = .seconds(5)
    ) throws(MQTTError) -> [MQTTCallResult<Answer>] {
        let results: MQTTCallResults<Answer>
        if let params {
            results = try self.devices.call(method, params, as: Answer.self, atOnce: width, within: limit)
        } else {
            results = try self.devices.call(method, as: Answer.self, atOnce: width, within: limit)
        }
        return try self.devices.engine.blockThread {
            var all: [MQTTCallResult<Answer>] = []
            for await result in results { all.append(result) }
            return all
        }
    }
}

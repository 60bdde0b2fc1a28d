/// Several devices whose methods can be called at once; see ``MQTTClient/devices(_:_:)``.
public struct MQTTDevices: Sendable {
    /// The names of the devices in their topics.
    public let names: [String]
    /// The dialect of the devices.
    public let dialect: MQTTDialect
    let engine: ClientEngine

    /// Calls a method of each device. Iterate over the results, in the order in which they arrive: one for each device.
    ///
    /// ```swift
    /// for await result in try client.devices(ids, .shelly).call("Switch.Set", ["id": 0, "on": true]) {
    ///     print(result.device, result.outcome)
    /// }
    /// ```
    ///
    /// The calls begin with the loop. Leaving it early cancels those without an answer, and begins no more.
    ///
    /// - Parameters:
    ///   - method: The name of the method.
    ///   - params: The parameters: any `Encodable` value.
    ///   - type: The type of the answers. Default: ``JSONValue``.
    ///   - width: The maximum number of calls that wait for an answer at the same time. Default: 100.
    ///   - limit: How long to wait for the answer of each device, from the beginning of its call. Default: 5 seconds.
    /// - Throws: ``MQTTError`` with code `invalidArgument` if `atOnce` is less than 1.
    public func call<Answer: Decodable & Sendable>(
        _ method: String, _ params: some Encodable & Sendable, as type: Answer.Type = JSONValue.self,
        atOnce width: Int = 100, within limit: Duration = .seconds(5)
    ) throws(MQTTError) -> MQTTCallResults<Answer> {
        try MQTTCallResults(self, method, params, width, limit)
    }

    /// Calls a method of each device, with parameters in JSON; otherwise the same as
    /// `call(_:_:as:atOnce:within:)`.
    public func call<Answer: Decodable & Sendable>(
        _ method: String, _ params: JSONValue, as type: Answer.Type = JSONValue.self, atOnce width: Int = 100,
        within limit: Duration = .seconds(5)
    ) throws(MQTTError) -> MQTTCallResults<Answer> {
        try MQTTCallResults(self, method, params, width, limit)
    }

    /// Calls a method of each device, without parameters; otherwise the same as `call(_:_:as:atOnce:within:)`.
    public func call<Answer: Decodable & Sendable>(
        _ method: String, as type: Answer.Type = JSONValue.self, atOnce width: Int = 100,
        within limit: Duration = .seconds(5)
    ) throws(MQTTError) -> MQTTCallResults<Answer> {
        try MQTTCallResults(self, method, nil, width, limit)
    }
}

/// The results of calls to several devices, in the order in which they arrive.
public struct MQTTCallResults<Answer: Decodable & Sendable>: AsyncSequence, Sendable {
    /// The result of one call.
    public typealias Element = MQTTCallResult<Answer>
    /// Failed calls are results, too.
    public typealias Failure = Never

    private let devices: MQTTDevices
    private let method: String
    private let params: (any Encodable & Sendable)?
    private let width: Int
    private let limit: Duration

    init(
        _ devices: MQTTDevices, _ method: String, _ params: (any Encodable & Sendable)?, _ width: Int,
        _ limit: Duration
    ) throws(MQTTError) {
        guard width > 0 else { throw MQTTError(.invalidArgument, "`atOnce` must be at least 1.", delivery: .notSent) }
        self.devices = devices
        self.method = method
        self.params = params
        self.width = width
        self.limit = limit
    }

    /// Begins the calls. Each iterator calls all devices.
    public func makeAsyncIterator() -> Iterator {
        // Bounded by the number of devices.
        let (results, continuation) = AsyncStream<MQTTCallResult<Answer>>.makeStream()
        let calling = Task {
            await self.callAll { continuation.yield($0) }
            continuation.finish()
        }
        continuation.onTermination = { _ in calling.cancel() }
        return Iterator(results: results.makeAsyncIterator())
    }

    private func callAll(_ report: @escaping @Sendable (MQTTCallResult<Answer>) -> Void) async {
        await withTaskGroup(of: Void.self) { group in
            for (index, device) in self.devices.names.enumerated() {
                if index >= self.width { await group.next() }
                // Nobody waits for the results of a loop that was left.
                guard group.addTaskUnlessCancelled(operation: { report(await self.call(device)) }) else { break }
            }
        }
    }

    private func call(_ device: String) async -> MQTTCallResult<Answer> {
        let inquiry = MQTTDialect.Inquiry(device: device, method: self.method, params: self.params)
        return await self.devices.engine.call(inquiry, self.devices.dialect, as: Answer.self, within: self.limit)
    }

    /// Iterates over the results.
    public struct Iterator: AsyncIteratorProtocol {
        private var results: AsyncStream<MQTTCallResult<Answer>>.Iterator

        fileprivate init(results: AsyncStream<MQTTCallResult<Answer>>.Iterator) { self.results = results }

        /// Waits for the next result; `nil` after the last one, or if the task is cancelled.
        public mutating func next(isolation actor: isolated (any Actor)?) async -> MQTTCallResult<Answer>? {
            await self.results.next(isolation: actor)
        }

        /// Waits for the next result; `nil` after the last one, or if the task is cancelled.
        public mutating func next() async -> MQTTCallResult<Answer>? { await self.results.next(isolation: #isolation) }
    }
}

@available(*, unavailable)
extension MQTTCallResults.Iterator: Sendable {}

public import CurlewCore

extension MQTTClient {
    /// Answers the calls of a device, until the task is cancelled or the client is disconnected.
    ///
    /// ```swift
    /// try await client.serve("thermostat-7", .jsonRPC) {
    ///     OnCall("Temperature.Get") { try await sensor.read() }
    ///     OnCall("Temperature.Set") { (point: SetPoint) in try await heater.set(point.celsius) }
    /// }
    /// ```
    ///
    /// A request is acknowledged after its answer was published and its handler has ended; a handler cannot and need not
    /// acknowledge it. If the program crashes before that, the broker delivers the request again. A request that is
    /// delivered twice is handled once and answered twice; see `limits.rememberedAnswerBytes`. A call of an unknown
    /// method, and one whose parameters do not decode, get the error of the dialect. With MQTT 5.0, a handler is
    /// cancelled when the request expires, and nothing is answered. Handlers may call other devices, publish and
    /// subscribe.
    ///
    /// A handler that does not return delays the acknowledgements of all later messages of the client. Give such a
    /// method a time limit: `OnCall("Temperature.Set", within: .seconds(2)) { … }`.
    ///
    /// Without a connection, the call waits up to `connection.acknowledgementTimeout` for the subscriptions. When the
    /// task is cancelled, the handlers are cancelled and the call returns. A request that is not answered then, or that
    /// waits in the queue, goes to the next server of this client or of the next run.
    ///
    /// - Parameters:
    ///   - device: The name of the device in its topics.
    ///   - dialect: The dialect of the calls.
    ///   - concurrency: The maximum number of calls that are handled at the same time. Default:
    ///     `limits.concurrentResponses`, 64.
    ///   - onSubscribed: Called once, with the topic filters, when the broker has granted all of them. Default: nothing.
    ///   - methods: The methods; of several with the same name, the first counts.
    /// - Throws: ``MQTTError``: `invalidArgument` if a number is less than 1, what `subscribe(to:)` throws, and the
    ///   error that ends the subscription.
    public nonisolated(nonsending) func serve(
        _ device: String, _ dialect: MQTTDialect, concurrency: Int? = nil,
        onSubscribed: @Sendable ([TopicFilter]) -> Void = { _ in },
        @MQTTMethodBuilder _ methods: () throws -> [MQTTMethod]
    ) async throws {
        try await self.serve(
            device, dialect, concurrency: concurrency, onSubscribed: onSubscribed, onEnded: {}, try methods())
    }

    /// Answers the calls of a device.
    ///
    /// - Parameter onEnded: Called after each call was answered, or could not be.
    package nonisolated(nonsending) func serve(
        _ device: String, _ dialect: MQTTDialect, concurrency: Int? = nil,
        onSubscribed: @Sendable ([TopicFilter]) -> Void, onEnded: @escaping @Sendable () -> Void,
        _ methods: [MQTTMethod]
    ) async throws {
        let width = concurrency ?? self.configuration.limits.concurrentResponses
        guard width > 0 else { throw MQTTError(.invalidArgument, "`concurrency` must be at least 1.") }
        if let method = methods.first(where: { $0.width ?? 1 < 1 }) {
            throw MQTTError(.invalidArgument, "`atOnce` of the method \(method.name) must be at least 1.")
        }
        if device.isEmpty || device.utf8.contains(where: { "+#".utf8.contains($0) }) {
            throw MQTTError(.invalidTopic, "\"\(device)\" is not the name of one device.")
        }
        let filters = dialect.requestFilters(device).map {
            TopicSubscription($0, SubscriptionOptions(qos: dialect.qos == .atMostOnce ? .atMostOnce : .exactlyOnce))
        }
        // One of them takes calls that must wait for a busy method.
        let workers = Workers<CallServer.Job>(limit: width < .max ? width + 1 : width)
        guard let requests = try await self.subscribeUnlessCancelled(to: filters, waking: workers.news) else { return }
        onSubscribed(requests.filters)
        let server = CallServer(device, dialect, methods, requests, self, concurrency: width, onEnded: onEnded)
        try await server.run(workers)
    }
}

public import CurlewCore
import CurlewTransport

/// A value that is on its way, which can be awaited, waited for, polled or given up: the result of
/// ``MQTTClient/start(_:)`` and ``MQTTClient/startRequest(_:to:qos:properties:responseTopic:timeout:)``.
///
/// The work is given up when no reference to it remains.
public final class MQTTPending<Value: Sendable>: Sendable {
    private let engine: ClientEngine
    private let outcome: OneShot<Result<Value, any Error>>
    private let task: Task<Void, Never>

    init(_ engine: ClientEngine, _ work: @escaping @Sendable () async throws -> Value) {
        self.engine = engine
        let outcome = OneShot<Result<Value, any Error>>()
        self.outcome = outcome
        self.task = Task { outcome.set(await Result(work)) }
    }

    deinit { self.task.cancel() }

    /// Waits for the value. Can be called more than once, and from several tasks at once. The work goes on if the
    /// waiting task is cancelled, or its time is up.
    ///
    /// - Parameter limit: How long to wait. Default: no limit other than that of the work itself.
    /// - Throws: What the work throws; ``MQTTError`` with code `timedOut` or `cancelled`.
    public nonisolated(nonsending) func value(within limit: Duration? = nil) async throws -> Value {
        switch await self.outcome.wait(for: limit, by: self.engine.deadlines) {
        case .value(let outcome): return try outcome.get()
        case .timedOut:
            throw MQTTError(.timedOut, "The result did not arrive within \(limit.map { "\($0)" } ?? "the time limit").")
        case .cancelled: throw MQTTError(.cancelled, "The task was cancelled.")
        }
    }

    /// Returns the value if it has arrived, without waiting; otherwise `nil`.
    ///
    /// - Throws: What the work throws.
    public func poll() throws -> Value? { try self.outcome.value?.get() }

    /// Blocks the thread until the value has arrived: ``value(within:)`` for code without async.
    ///
    /// - Parameter limit: How long to wait. Default: no limit other than that of the work itself.
    /// - Throws: What the work throws; ``MQTTError`` with code `timedOut` or `mustNotBlock`.
    public func wait(within limit: Duration? = nil) throws -> Value {
        if let outcome = self.outcome.value { return try outcome.get() }
        let result = try self.engine.blockThread { await Result { try await self.value(within: limit) } }
        return try result.get()
    }

    /// Gives the work up: a request that still waits is not sent, and calls that wait for the value throw `cancelled`.
    public func cancel() { self.task.cancel() }
}

extension Result where Failure == any Error, Success: Sendable {
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}

extension MQTTClient {
    /// Starts work with this client and returns immediately.
    ///
    /// ```swift
    /// let status = client.start { try await $0.device("plug", .shelly).call("Switch.GetStatus", ["id": 0]) }
    /// …
    /// print(try await status.value())
    /// ```
    ///
    /// - Parameter work: What to do: any calls of the client.
    /// - Returns: The value that `work` returns, when it is there. Keep it: the work is given up with the last reference.
    public func start<Value: Sendable>(
        _ work: @escaping @Sendable (MQTTClient) async throws -> Value
    ) -> MQTTPending<Value> {
        MQTTPending(self.engine) { [self] in try await work(self) }
    }

    /// Starts a request and returns immediately.
    ///
    /// ```swift
    /// let pending = client.startRequest("ping", to: "devices/7/rpc")
    /// …
    /// print(try await pending.value().text)
    /// ```
    ///
    /// - Parameters: Those of ``request(_:to:qos:properties:responseTopic:timeout:)``.
    /// - Returns: The reply, when it is there. Keep it: the request is given up with the last reference.
    public func startRequest(
        _ payload: some MQTTPayload, to topic: String, qos: QoS = .atLeastOnce,
        properties: MessageProperties = MessageProperties(), responseTopic: String? = nil,
        timeout: Duration = .seconds(5)
    ) -> MQTTPending<MQTTMessage> {
        let payload = payload.mqttPayload
        return self.start { client in
            try await client.request(
                payload, to: topic, qos: qos, properties: properties, responseTopic: responseTopic, timeout: timeout)
        }
    }
}

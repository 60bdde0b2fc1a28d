public import CurlewCore
import CurlewTransport

/// A request that was started and whose reply is awaited, waited for, polled or given up later.
public final class PendingReply: Sendable {
    private let engine: ClientEngine
    private let outcome: OneShot<Result<MQTTMessage, MQTTError>>
    private let task: Task<Void, Never>

    init(_ engine: ClientEngine, _ request: @escaping @Sendable () async throws -> MQTTMessage) {
        self.engine = engine
        let outcome = OneShot<Result<MQTTMessage, MQTTError>>()
        self.outcome = outcome
        self.task = Task(executorPreference: engine.executor) {
            do { outcome.set(.success(try await request())) } catch { outcome.set(.failure(MQTTError(of: error))) }
        }
    }

    deinit { self.task.cancel() }

    /// Waits for the reply. Can be called more than once, and from several tasks at once. The request goes on if the
    /// waiting task is cancelled.
    ///
    /// - Throws: ``MQTTError``: what `request` throws, or `cancelled`.
    public nonisolated(nonsending) func reply() async throws -> MQTTMessage {
        guard let outcome = await self.outcome.wait() else {
            throw MQTTError(.cancelled, "The task was cancelled.")
        }
        return try outcome.get()
    }

    /// Returns the reply if it has arrived, without waiting; otherwise `nil`.
    ///
    /// - Throws: ``MQTTError``: what `request` throws.
    public func poll() throws(MQTTError) -> MQTTMessage? { try self.outcome.value?.get() }

    /// Blocks the thread until the reply has arrived: ``reply()`` for code without async.
    ///
    /// - Throws: ``MQTTError``: what `request` throws, or `mustNotBlock`.
    public func wait() throws(MQTTError) -> MQTTMessage {
        if let outcome = self.outcome.value { return try outcome.get() }
        return try self.engine.blockThread { try await self.reply() }
    }

    /// Gives the request up: it is not sent if it still waits, and calls that wait for the reply throw `cancelled`.
    public func cancel() { self.task.cancel() }
}

extension MQTTClient {
    /// Starts a request and returns immediately.
    ///
    /// ```swift
    /// let pending = client.startRequest("ping", to: "devices/7/rpc")
    /// …
    /// print(try await pending.reply().text)
    /// ```
    ///
    /// The request is given up when no reference to the result remains.
    ///
    /// - Parameters: Those of ``request(_:to:qos:properties:responseTopic:timeout:)``.
    public func startRequest(
        _ payload: some MQTTPayload, to topic: String, qos: QoS = .atLeastOnce,
        properties: MessageProperties = MessageProperties(), responseTopic: String? = nil,
        timeout: Duration = .seconds(5)
    ) -> PendingReply {
        let payload = payload.mqttPayload
        return PendingReply(self.engine) { [self] in
            try await self.request(
                payload, to: topic, qos: qos, properties: properties, responseTopic: responseTopic, timeout: timeout)
        }
    }
}

public import CurlewCore
import CurlewTransport

extension MQTTClients {
    /// The clients for code without async: the same connections, with calls that block their thread.
    public var blocking: MQTTBlockingClients { MQTTBlockingClients(clients: self) }
}

/// Clients of several brokers whose calls block their thread until they are done; see ``MQTTClients/blocking``.
public struct MQTTBlockingClients: Sendable {
    /// The clients with the async methods.
    public let clients: MQTTClients

    /// The client with a name; `nil` if there is none.
    public subscript(_ name: String) -> MQTTBlockingClient? { self.clients[name]?.blocking }

    /// Connects all clients at the same time; see ``MQTTClients/connect(retrying:timeout:)``.
    public func connect(retrying: Bool = false, timeout: Duration? = nil) throws {
        try self.run { try await $0.connect(retrying: retrying, timeout: timeout) }
    }

    /// Connects all clients, whether or not some of them fail; see ``MQTTClients/connectAll(retrying:timeout:)``.
    @discardableResult
    public func connectAll(
        retrying: Bool = false, timeout: Duration? = nil
    ) throws -> [String: Result<Bool, MQTTError>] {
        try self.run { await $0.connectAll(retrying: retrying, timeout: timeout) }
    }

    /// Disconnects all clients; see ``MQTTClients/disconnect(drain:)``.
    @discardableResult
    public func disconnect(drain: Duration? = nil) throws -> [String: DrainReport] {
        try self.run { await $0.disconnect(drain: drain) }
    }

    /// Publishes a message to all brokers; see ``MQTTClients/publishToAll(_:to:qos:retain:properties:timeout:)``.
    @discardableResult
    public func publishToAll(
        _ payload: some MQTTPayload, to topic: String, qos: QoS? = nil, retain: Bool? = nil,
        properties: MessageProperties = MessageProperties(), timeout: Duration? = nil
    ) throws -> [String: Result<ReasonCode, MQTTError>] {
        let payload = payload.mqttPayload
        return try self.run { clients in
            await clients.publishToAll(
                payload, to: topic, qos: qos, retain: retain, properties: properties, timeout: timeout)
        }
    }

    /// Returns the first `count` messages of all brokers together, or those that arrived in time; see
    /// ``MQTTClients/collect(_:from:includingRetained:within:)``.
    public func collect(
        _ count: Int, from filters: [String], includingRetained: Bool = true, within limit: Duration
    ) throws -> [MQTTMergedMessages.Element] {
        try self.run { clients in
            try await clients.collect(count, from: filters, includingRetained: includingRetained, within: limit)
        }
    }

    /// Runs async code and blocks the thread until it has ended; see ``MQTTBlockingClient/run(_:)``.
    ///
    /// - Throws: ``MQTTError`` with code `mustNotBlock`, or what the closure throws.
    public func run<Value: Sendable>(
        _ body: @escaping @Sendable (MQTTClients) async throws -> Value
    ) throws -> Value {
        // There is at least one client, whose event loop or task must not block.
        guard let first = self.clients.names.first.flatMap({ self.clients[$0] }) else {
            throw MQTTError(.invalidConfiguration, "There is no client.")
        }
        return try first.blocking.run { [clients] _ in try await body(clients) }
    }
}

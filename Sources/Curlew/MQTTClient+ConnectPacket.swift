import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

// What an attempt to connect needs: where to, and the CONNECT packet.
extension MQTTClient {
    /// The largest packet that the protocol knows: to say that one takes it is to say nothing.
    private static let largestPacket = 268_435_460

    func endpoint(of server: ServerList.Server) -> Endpoint {
        let configured = self.configuration.servers[min(server.index, self.configuration.servers.count - 1)]
        return Endpoint(
            host: server.address?.host ?? configured.host,
            port: server.address?.port.map(Int.init) ?? configured.port,
            security: configured.scheme.isSecure ? .tls : .plain)
    }

    /// The CONNECT of the next attempt.
    func makeConnect(_ version: ProtocolVersion) async throws(MQTTError) -> Connect {
        try self.configuration.validate(for: version)
        let login = try await self.login()
        try login.validate()
        try login.validate(for: version)
        let (identifier, hasConnected) = self.shared.withLock { ($0.clientIdentifier, $0.lifecycle.hasConnected) }
        let session = self.configuration.session
        var connect = Connect(
            version: version, cleanStart: session.cleanStart,
            keepAlive: UInt16(clamping: self.configuration.connection.keepAlive.components.seconds),
            clientIdentifier: identifier, username: login.username, password: login.password?.bytes,
            will: try self.configuration.will?.packetValue(version))
        guard version >= .v5_0 else { return connect }
        // From the second connection on the session is wanted back. Before 5.0 a session that is not clean would have no end.
        connect.cleanStart = session.cleanStart && !hasConnected
        var properties: [Property] = []
        if let expiry = session.expiry.seconds, expiry > 0 { properties.append(.sessionExpiryInterval(expiry)) }
        if session.receiveMaximum < 65_535 {
            properties.append(.receiveMaximum(UInt16(clamping: session.receiveMaximum)))
        }
        if session.maximumPacketSize < Self.largestPacket {
            properties.append(.maximumPacketSize(UInt32(clamping: session.maximumPacketSize)))
        }
        if session.topicAliasMaximum > 0 {
            properties.append(.topicAliasMaximum(UInt16(clamping: session.topicAliasMaximum)))
        }
        if session.requestResponseInformation { properties.append(.requestResponseInformation(true)) }
        if !session.requestProblemInformation { properties.append(.requestProblemInformation(false)) }
        if let authentication = self.configuration.authentication {
            properties.append(.authenticationMethod(authentication.method))
            let data = try await self.ask("The authentication could not begin") {
                try await authentication.authenticator.begin()
            }
            if let data { properties.append(.authenticationData(data)) }
        }
        properties += session.userProperties.map(Property.userProperty)
        connect.properties = Properties(properties)
        return connect
    }

    private func login() async throws(MQTTError) -> MQTTConfiguration.Login {
        switch self.configuration.credentials.source {
        case .none: return MQTTConfiguration.Login()
        case .fixed(let login): return login
        case .provider(let provide):
            return try await self.ask("The credentials could not be provided", provide)
        }
    }

    /// Runs code of the application, for no longer than a handshake may take, and no longer than somebody wants a connection.
    private func ask<Answer: Sendable>(
        _ failure: String, _ question: @escaping @Sendable () async throws -> Answer
    ) async throws(MQTTError) -> Answer {
        let answer = OneShot<Result<Answer, any Error>>()
        let task = Task {
            do { answer.set(.success(try await question())) } catch { answer.set(.failure(error)) }
        }
        let limit = self.configuration.connection.handshakeTimeout
        let deadline = self.deadlines.schedule(after: limit) {
            answer.set(.failure(MQTTError(.timedOut, "it took longer than \(limit)")))
        }
        defer {
            self.deadlines.cancel(deadline)
            task.cancel()
        }
        switch await answer.wait() {
        case .success(let answer)?: return answer
        case .failure(let error)?:
            throw MQTTError(.authenticationFailed, "\(failure): \(error)", cause: error)
        case nil: throw MQTTError(.cancelled, "The task was cancelled.")
        }
    }
}

extension MQTTConfiguration.Will {
    fileprivate func packetValue(_ version: ProtocolVersion) throws(MQTTError) -> Connect.Will {
        let topic: TopicName
        do { topic = try TopicName(self.topic) } catch { throw MQTTError(.invalidTopic, error.message, cause: error) }
        var properties = self.properties
        let delay = UInt32(clamping: self.delay.components.seconds)
        if delay > 0 { properties.list.append(.willDelayInterval(delay)) }
        return Connect.Will(
            topic: topic, payload: self.payload, qos: self.qos, retain: self.retain,
            properties: version >= .v5_0 ? properties : Properties())
    }
}

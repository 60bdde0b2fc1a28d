import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

// Creates the CONNECT packet, with credentials and authentication data from the application.
extension ConnectionContext {
    /// The largest packet that the protocol allows; a client need not announce that it accepts it.
    private static let largestPacket = 268_435_460

    /// Creates the CONNECT for the next attempt.
    ///
    /// - Parameters:
    ///   - identifier: The client identifier; empty if the server assigns it.
    ///   - resumes: Whether to resume the session, because the client has been connected before.
    func makeConnect(
        _ version: ProtocolVersion, identifier: String, resumes: Bool
    ) async throws(MQTTError) -> Connect {
        try self.configuration.validate(for: version)
        let login = try await self.login()
        try login.validate()
        try login.validate(for: version)
        let session = self.configuration.session
        var connect = Connect(
            version: version, cleanStart: session.cleanStart,
            keepAlive: UInt16(clamping: self.configuration.connection.keepAlive.components.seconds),
            clientIdentifier: identifier, username: login.username, password: login.password,
            will: try self.configuration.will?.packetValue(version))
        guard version >= .v5_0 else { return connect }
        // Before 5.0, Clean Session must stay set: a session without it never ends.
        connect.cleanStart = session.cleanStart && !resumes
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
        if let authentication = self.configuration.enhancedAuthentication {
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

    /// Runs code of the application, with the time limit of a handshake. Cancels it with the task that connects.
    private func ask<Answer: Sendable>(
        _ failure: String, _ question: @escaping @Sendable () async throws -> Answer
    ) async throws(MQTTError) -> Answer {
        let answer = OneShot<Result<Answer, any Error>>()
        let task = Task {
            do { answer.set(.success(try await question())) } catch { answer.set(.failure(error)) }
        }
        defer { task.cancel() }
        let limit = self.configuration.connection.handshakeTimeout
        switch await answer.wait(for: limit, by: self.deadlines) {
        case .value(.success(let answer)): return answer
        case .value(.failure(let error)):
            throw MQTTError(.authenticationFailed, "\(failure): \(error)", cause: error)
        case .timedOut: throw MQTTError(.authenticationFailed, "\(failure): it took longer than \(limit)")
        case .cancelled: throw MQTTError(.cancelled, "The task was cancelled.")
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

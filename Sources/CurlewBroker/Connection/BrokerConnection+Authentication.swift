import CurlewCore
import Logging
import NIOCore

// Enhanced authentication: challenge and response, at CONNECT and later (MQTT 5.0 section 4.12).
extension BrokerConnection {
    /// The authentication of the client.
    enum Authentication {
        /// None is under way.
        case none
        /// An enhanced authentication waits for the next data of the client.
        case waiting(any MQTTEnhancedAuthentication)
        /// An authenticator works on a decision or on a step, in this task.
        case deciding(Task<Void, Never>)

        /// The client is gone.
        mutating func cancel() {
            if case .deciding(let task) = self { task.cancel() }
            self = .none
        }

        /// Takes the enhanced authentication that waits for the client; `nil` if none does.
        fileprivate mutating func takeWaiting() -> (any MQTTEnhancedAuthentication)? {
            guard case .waiting(let authentication) = self else { return nil }
            self = .none
            return authentication
        }
    }

    func beginAuthentication(_ method: String, _ attempt: MQTTConnectionAttempt) {
        guard let authenticator = self.rules.enhancedAuthenticators.first(where: { $0.method.hasSameBytes(as: method) })
        else {
            // [MQTT-4.12.0-1]
            return self.refuse(.badAuthenticationMethod, "The server does not know that authentication method.")
        }
        self.authentication = .waiting(authenticator.begin(attempt))
        self.continueAuthentication(self.admitted?.authenticationData)
    }

    /// AUTH: the next step of an authentication, or a new one of a connected client.
    func receivedAuth(_ packet: Auth) {
        guard let method = self.admitted?.authenticationMethod,
            packet.properties.authenticationMethod.hasSameBytes(as: method)
        else {
            // [MQTT-4.12.1-1] and section 4.12: AUTH belongs to a CONNECT with the same method.
            return self.close(.protocolError, "AUTH names another authentication method than CONNECT.")
        }
        switch (self.phase, packet.reasonCode, self.authentication) {
        case (.connected, .reauthenticate, .none):
            guard
                let authenticator = self.rules.enhancedAuthenticators.first(where: {
                    $0.method.hasSameBytes(as: method)
                })
            else { return self.close(.badAuthenticationMethod, "The server does not know that authentication method.") }
            self.authentication = .waiting(
                authenticator.begin(
                    MQTTConnectionAttempt(
                        client: self.client, certificate: self.certificate, isLocal: self.link.isLocal,
                        userID: self.link.peerUserID, applicationProtocol: self.link.applicationProtocol)))
        case (_, .continueAuthentication, .waiting): break
        default: return self.close(.protocolError, "AUTH with \(packet.reasonCode) must not be sent here.")
        }
        if self.life.answered() == .pause { self.pauseReading(for: .connecting) }
        self.continueAuthentication(packet.properties.authenticationData)
    }

    private func continueAuthentication(_ data: ByteBuffer?) {
        guard var authentication = self.authentication.takeWaiting() else { return }
        let (reference, log) = (self.reference, self.engine.clientLog)
        let deciding = Task {
            var step = MQTTAuthenticationStep.deny(.notAuthorized)
            do {
                step = try await authentication.respond(to: data)
            } catch {
                if Task.isCancelled { return }
                log.write(.authenticationFailed, ["error": "\(error)"])
            }
            reference.execute { [step, authentication] in $0.take(step, of: authentication) }
        }
        self.authentication = .deciding(deciding)
    }

    private func take(_ step: MQTTAuthenticationStep, of authentication: any MQTTEnhancedAuthentication) {
        guard self.phase != .closed, let method = self.admitted?.authenticationMethod else { return }
        self.authentication = .none
        switch step {
        case .challenge(let data):  // [MQTT-4.12.0-2]
            self.authentication = .waiting(authentication)
            let challenged = self.life.challenged()
            self.sendAuth(.continueAuthentication, method, data)
            if challenged == .read, self.phase == .challenged {
                self.resumeReading(after: .connecting)
                self.process()
            }
        case .allow(let username, let data):
            guard self.phase == .connecting else {
                guard username.hasSameBytes(as: self.client.username) else {
                    return self.close(.notAuthorized, "The client has authenticated again as another user.")
                }
                return self.sendAuth(.success, method, data)
            }
            self.client.username = username
            self.admitted?.authenticationData = data
            self.prepare()
        case .deny(let code):
            let code = code.isFailure ? code : .notAuthorized
            if self.phase == .connected {
                self.close(code, "The authentication failed.")
            } else {
                self.refuse(code, "The authentication failed.")
            }
        }
    }

    private func sendAuth(_ code: ReasonCode, _ method: String, _ data: ByteBuffer?) {
        self.reply(.auth(Auth(code, method: method, data: data)))
    }
}

import CurlewCore
import Logging
import NIOCore

// Enhanced authentication: challenge and response, at CONNECT and later (MQTT 5.0 section 4.12).
extension BrokerConnection {
    func beginAuthentication(_ method: String, _ attempt: MQTTConnectionAttempt) {
        guard let authenticator = self.rules.enhancedAuthenticators.first(where: { $0.method.hasSameBytes(as: method) })
        else {
            // [MQTT-4.12.0-1]
            return self.refuse(.badAuthenticationMethod, "The server does not know that authentication method.")
        }
        self.enhancedAuthentication = authenticator.begin(attempt)
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
        switch (self.phase, packet.reasonCode) {
        case (.connected, .reauthenticate) where self.enhancedAuthentication == nil && !self.isAuthenticating:
            guard
                let authenticator = self.rules.enhancedAuthenticators.first(where: {
                    $0.method.hasSameBytes(as: method)
                })
            else { return self.close(.badAuthenticationMethod, "The server does not know that authentication method.") }
            self.enhancedAuthentication = authenticator.begin(
                MQTTConnectionAttempt(client: self.client, certificate: self.certificate, isLocal: self.link.isLocal))
        case (_, .continueAuthentication) where self.enhancedAuthentication != nil: break
        default: return self.close(.protocolError, "AUTH with \(packet.reasonCode) must not be sent here.")
        }
        if self.life.answered() == .pause { self.pauseReading(for: .connecting) }
        self.continueAuthentication(packet.properties.authenticationData)
    }

    private func continueAuthentication(_ data: ByteBuffer?) {
        guard var authentication = exchange(&self.enhancedAuthentication, with: nil) else { return }
        self.isAuthenticating = true
        let (reference, log) = (self.reference, self.engine.clientLog)
        self.authentication = Task {
            var step = MQTTAuthenticationStep.deny(.notAuthorized)
            do {
                step = try await authentication.respond(to: data)
            } catch {
                if Task.isCancelled { return }
                log.write(.authenticationFailed, ["error": "\(error)"])
            }
            reference.execute { [step, authentication] in $0.take(step, of: authentication) }
        }
    }

    private func take(_ step: MQTTAuthenticationStep, of authentication: any MQTTEnhancedAuthentication) {
        guard self.phase != .closed, let method = self.admitted?.authenticationMethod else { return }
        self.isAuthenticating = false
        switch step {
        case .challenge(let data):  // [MQTT-4.12.0-2]
            self.enhancedAuthentication = authentication
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

import CurlewCore
import Logging
import NIOCore

// Enhanced authentication: challenge and response, at CONNECT and later (MQTT 5.0 section 4.12).
extension BrokerConnection {
    func beginExchange(_ method: String, _ attempt: MQTTConnectionAttempt) {
        guard let authenticator = self.rules.enhancedAuthenticators.first(where: { $0.method.hasSameBytes(as: method) })
        else {
            // [MQTT-4.12.0-1]
            return self.refuse(.badAuthenticationMethod, "The server does not know that authentication method.")
        }
        self.exchange = authenticator.begin(attempt)
        self.continueExchange(self.admitted?.authenticationData)
    }

    /// AUTH: the next step, or a new authentication of a connected client.
    func receivedAuth(_ packet: Auth) {
        guard let method = self.admitted?.authenticationMethod,
            packet.properties.authenticationMethod.hasSameBytes(as: method)
        else {
            // [MQTT-4.12.1-1] and section 4.12: AUTH belongs to a CONNECT with the same method.
            return self.close(.protocolError, "AUTH names another authentication method than CONNECT.")
        }
        switch (self.phase, packet.reasonCode) {
        case (.connected, .reauthenticate) where self.exchange == nil && !self.isAuthenticating:
            guard
                let authenticator = self.rules.enhancedAuthenticators.first(where: {
                    $0.method.hasSameBytes(as: method)
                })
            else { return self.close(.badAuthenticationMethod, "The server does not know that authentication method.") }
            self.exchange = authenticator.begin(
                MQTTConnectionAttempt(client: self.client, certificate: self.certificate, isLocal: self.link.isLocal))
        case (_, .continueAuthentication) where self.exchange != nil: break
        default: return self.close(.protocolError, "AUTH with \(packet.reasonCode) must not be sent here.")
        }
        if self.phase == .challenged {
            self.phase = .connecting
            self.pauseReading(for: .connecting)
        }
        self.continueExchange(packet.properties.authenticationData)
    }

    private func continueExchange(_ data: ByteBuffer?) {
        guard var exchange = Swift.exchange(&self.exchange, with: nil) else { return }
        self.isAuthenticating = true
        let (reference, log) = (self.reference, self.engine.clientLog)
        self.authentication = Task {
            var step = MQTTAuthenticationStep.deny(.notAuthorized)
            do {
                step = try await exchange.respond(to: data)
            } catch {
                if Task.isCancelled { return }
                log.write(.authenticationFailed, ["error": "\(error)"])
            }
            reference.execute { [step, exchange] in $0.take(step, of: exchange) }
        }
    }

    private func take(_ step: MQTTAuthenticationStep, of exchange: any MQTTAuthenticationExchange) {
        guard self.phase != .closed, let method = self.admitted?.authenticationMethod else { return }
        self.isAuthenticating = false
        switch step {
        case .challenge(let data):  // [MQTT-4.12.0-2]
            self.exchange = exchange
            if self.phase == .connecting { self.phase = .challenged }
            self.sendAuth(.continueAuthentication, method, data)
            if self.phase == .challenged {
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

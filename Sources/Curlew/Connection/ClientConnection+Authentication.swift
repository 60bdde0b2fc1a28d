import CurlewCore
import NIOCore

// Enhanced authentication (MQTT 5.0 section 4.12): handles AUTH packets, and answers with the application's
// authenticator.
extension ClientConnection {
    struct AuthenticationState {
        /// The task in which the authenticator answers a challenge.
        fileprivate var answering: Task<Void, Never>?
        /// Whether a re-authentication is in progress.
        fileprivate var isRepeating = false

        fileprivate var isAnswering: Bool { self.answering != nil }

        /// The connection has ended.
        func cancel() { self.answering?.cancel() }
    }

    /// The server sent AUTH.
    func continueAuthentication(_ auth: Auth) {
        guard let configured = self.context.configuration.enhancedAuthentication else {
            self.breach("The server sent AUTH, but the client does not use enhanced authentication.")
            return
        }
        guard self.isOurs(auth.properties) else { return }
        let data = auth.properties.authenticationData
        switch auth.reasonCode {
        case .continueAuthentication where self.authentication.isAnswering:
            self.breach("The server sent AUTH before its previous AUTH was answered.")
        case .continueAuthentication where self.life.phase == .handshake || self.authentication.isRepeating:
            self.answer(data, configured)
        // Only a re-authentication: during the handshake, CONNACK reports success.
        case .success where self.authentication.isRepeating && !self.authentication.isAnswering:
            self.authentication.isRepeating = false
            guard self.isTrusted(configured, data) else { return }
            self.owner.reauthenticated(nil)
        default:
            self.breach("The server sent AUTH with \(auth.reasonCode) at the wrong time.")
        }
    }

    /// CONNACK reported success. Returns whether the authentication method is unchanged and the authenticator accepts
    /// the server's data.
    func finishAuthentication(_ connack: ConnAck) -> Bool {
        guard let configured = self.context.configuration.enhancedAuthentication else { return true }
        guard self.isOurs(connack.properties) else { return false }
        guard !self.authentication.isAnswering else {
            self.breach("The server sent CONNACK before its AUTH was answered.")
            return false
        }
        return self.isTrusted(configured, connack.properties.authenticationData)
    }

    /// Begins a re-authentication (section 4.12.1), unless one is in progress.
    func reauthenticate(_ method: String, _ data: ByteBuffer?) {
        guard !self.authentication.isRepeating else { return }
        self.authentication.isRepeating = true
        self.send(Auth(.reauthenticate, method: method, data: data))
    }

    /// Answers a challenge with the application's authenticator.
    private func answer(_ challenge: ByteBuffer?, _ configured: MQTTConfiguration.EnhancedAuthentication) {
        let connection = NIOLoopBound(self, eventLoop: self.link.eventLoop)
        let loop = self.link.eventLoop
        self.authentication.answering = Task(executorPreference: self.context.executor) {
            let answer: Result<ByteBuffer?, any Error>
            do {
                answer = .success(try await configured.authenticator.respond(to: challenge))
            } catch {
                answer = .failure(error)
            }
            loop.execute {
                connection.value.authentication.answering = nil
                switch answer {
                case .success(let data):
                    let step = Auth(.continueAuthentication, method: configured.method, data: data)
                    connection.value.send(step)
                case .failure(let error):
                    connection.value.close(.notAuthorized, .authenticationGivenUp(error))
                }
            }
        }
    }

    /// Sends AUTH, unless it exceeds the Maximum Packet Size of CONNACK [MQTT-3.2.2-15].
    private func send(_ auth: Auth) {
        let size = (try? auth.encodedSize(version: .v5_0)) ?? 0
        if let maximum = self.serverMaximumPacketSize, size > maximum {
            let error = MQTTError(
                .packetTooLarge, "The AUTH packet has \(size) bytes, and the server accepts at most \(maximum).")
            self.close(.normalDisconnection, error)
        } else {
            self.write(.auth(auth))
        }
    }

    /// Whether the authentication method is that of CONNECT [MQTT-4.12.0-5]. Tolerates a packet without one.
    private func isOurs(_ properties: Properties) -> Bool {
        let method = properties.authenticationMethod
        guard method == nil || method.hasSameBytes(as: self.connect.properties.authenticationMethod) else {
            self.breach("The server changed the authentication method.")
            return false
        }
        return true
    }

    private func isTrusted(_ configured: MQTTConfiguration.EnhancedAuthentication, _ data: ByteBuffer?) -> Bool {
        do {
            try configured.authenticator.finish(with: data)
            return true
        } catch {
            self.close(.notAuthorized, .authenticationGivenUp(error))
            return false
        }
    }

    private func breach(_ message: String) {
        self.close(.protocolError, MQTTError(.protocolViolation, message, reasonCode: .protocolError))
    }
}

extension MQTTError {
    fileprivate static func authenticationGivenUp(_ error: any Error) -> Self {
        Self(.authenticationFailed, "The authentication failed: \(error)", cause: error)
    }
}

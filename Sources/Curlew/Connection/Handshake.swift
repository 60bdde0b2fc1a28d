import CurlewCore
import CurlewTransport
import Synchronization

/// One attempt to make a connection, from the address to the server's answer to CONNECT.
struct Handshake: Sendable {
    let owner: any ConnectionOwner
    let connector: any Connector
    let context: ConnectionContext
    let endpoint: Endpoint
    let version: ProtocolVersion
    /// The client identifier; empty to have the server assign one.
    let identifier: String
    /// Whether the client has been connected, so that it wants its session back.
    let resumes: Bool
    /// How long the server may take to answer CONNECT.
    let timeout: Duration
    /// How long it has taken then, with an attempt in another version that it did not answer.
    let silence: Duration

    /// A connection that the server accepted.
    struct Accepted: Sendable {
        let isResumed: Bool
        /// Set at the end of the connection.
        let closed: OneShot<ClientConnection.Closing>
    }

    /// Why there is no connection.
    enum Failure: Error {
        case failed(MQTTError)
        case closedBeforeConnAck(MQTTError)
        /// The server sent nothing in time.
        case unanswered(MQTTError)
        case refused(ConnAck)
    }

    /// Runs the attempt in a child task: a task keeps the memory of its deepest call until its end, and who makes a connection
    /// goes on to wait for as long as that lasts.
    func resultOfChildTask() async throws(Failure) -> Accepted {
        async let result = self.result()
        return try await result.get()
    }

    private func result() async -> Result<Accepted, Failure> {
        do throws(Failure) { return .success(try await self.run()) } catch { return .failure(error) }
    }

    private func run() async throws(Failure) -> Accepted {
        let opening = OneShot<ClientConnection.Opening>()
        let closed = OneShot<ClientConnection.Closing>()
        let link = OneShot<any Link>()
        let connect: Connect
        do throws(MQTTError) {
            connect = try await self.context.makeConnect(
                self.version, identifier: self.identifier, resumes: self.resumes)
        } catch {
            throw .failed(error)
        }
        do throws(TransportError) {
            try await self.connector.connect(to: self.endpoint, on: self.context.eventLoop) { newLink in
                link.set(newLink)
                return ClientConnection(
                    self.owner, self.context, link: newLink, server: self.endpoint, connect: connect, opening: opening,
                    closed: closed)
            }
        } catch {
            throw .failed(MQTTError(.connectionFailed, error.message, cause: error))
        }
        return try await self.finish(opening, closed, link)
    }

    /// From CONNECT to the server's answer.
    private func finish(
        _ opening: OneShot<ClientConnection.Opening>, _ closed: OneShot<ClientConnection.Closing>,
        _ link: OneShot<any Link>
    ) async throws(Failure) -> Accepted {
        let timeout = self.timeout
        let expired = OneShot<Void>()
        let deadline = self.context.deadlines.schedule(after: timeout) {
            expired.set(())
            link.value?.close()
        }
        let opened = await withTaskCancellationHandler {
            await opening.wait()
        } onCancel: {
            // One that was accepted is ended in order, by whoever waits for its end.
            if case .accepted? = opening.value { return }
            link.value?.close()
        }
        self.context.deadlines.cancel(deadline)
        switch opened {
        case .accepted(let isResumed)?: return Accepted(isResumed: isResumed, closed: closed)
        case .refused(let connack)?:
            _ = await closed.wait()
            throw .refused(connack)
        case .closed(let closing)?:
            guard expired.value == nil else {
                let port = ForeignProtocol.rightPort(isSecure: self.endpoint.security == .tls)
                let hint = self.hint ?? "; is that \(port)?"
                let error = MQTTError(
                    .timedOut, "\(self.endpoint) did not answer CONNECT within \(self.silence)\(hint)")
                throw closing.hasAnswered ? .failed(error) : .unanswered(error)
            }
            throw self.failure(closing)
        case nil: throw .failed(MQTTError(.cancelled, "The task was cancelled."))
        }
    }

    private func failure(_ closing: ClientConnection.Closing) -> Failure {
        let error = closing.error ?? MQTTError(.connectionClosed, "The server closed the connection.")
        guard error.code == .connectionClosed else { return .failed(error) }
        if let cause = error.cause as? TransportError, cause.code != .connectionLost {
            return .failed(MQTTError(.connectionFailed, cause.message, cause: cause))
        }
        return .closedBeforeConnAck(
            MQTTError(
                .connectionFailed,
                "\(self.endpoint) closed the connection without an answer to CONNECT\(self.hint ?? self.guess)",
                cause: error.cause))
    }

    /// Why a server closes the connection that is none of the port's usual uses: the end of a sentence.
    private var guess: String {
        self.endpoint.security == .plain
            ? "; does this port expect TLS (mqtts://), or does the broker take no more clients?"
            : "; does this port speak MQTT, or does the broker take no more clients?"
    }

    /// What the port is used for as a rule, where that is not plain MQTT: the end of a sentence.
    private var hint: String? {
        guard self.endpoint.security == .plain else { return nil }
        return switch self.endpoint.port {
        case 8883, 8884, 8886, 443, 8443: "; port \(self.endpoint.port) is usually for TLS: connect with mqtts://."
        case 80, 8080, 8000, 8083, 8084, 9001:
            "; port \(self.endpoint.port) is usually for HTTP or WebSocket, and MQTT's is 1883."
        default: nil
        }
    }
}

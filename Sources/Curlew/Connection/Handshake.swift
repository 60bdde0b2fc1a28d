import CurlewCore
import CurlewTransport
import Synchronization

/// One connection attempt, from resolving the host to the server's answer to CONNECT.
struct Handshake: Sendable {
    let owner: any ConnectionOwner
    let connector: any Connector
    let context: ConnectionContext
    let endpoint: Endpoint
    let version: ProtocolVersion
    /// The client identifier; empty if the server assigns it.
    let identifier: String
    /// Whether to resume the session, because the client has been connected before.
    let resumes: Bool
    /// How long the server may take to answer CONNECT.
    let timeout: Duration
    /// The time without an answer that the error message states: includes an attempt in another version before this
    /// one.
    let silence: Duration

    /// A connection that the server accepted.
    struct Accepted: Sendable {
        let isResumed: Bool
        /// Set when the connection ends.
        let closed: OneShot<ClientConnection.Closing>
    }

    /// Why the attempt failed.
    enum Failure: Error {
        case failed(MQTTError)
        case closedBeforeConnAck(MQTTError)
        /// The server sent nothing in time.
        case unanswered(MQTTError)
        case refused(ConnAck)
    }

    /// Runs the attempt in a child task. A task keeps the memory of its deepest call until it ends, and the caller's
    /// task lives as long as the connection.
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

    /// Waits for the server's answer to CONNECT.
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
            // An accepted connection is closed with DISCONNECT, by the supervisor.
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

    /// The likely reason why a server closes the connection if the port gives no hint; the end of a sentence.
    private var guess: String {
        self.endpoint.security == .plain
            ? "; does this port expect TLS (mqtts://), or does the broker accept no more clients?"
            : "; does this port speak MQTT, or does the broker accept no more clients?"
    }

    /// The usual protocol of the port, if it is not MQTT over TCP; the end of a sentence. Otherwise `nil`.
    private var hint: String? {
        guard self.endpoint.webSocket == nil else { return "; check the path of the WebSocket." }
        guard self.endpoint.security == .plain, let port = self.endpoint.port else { return nil }
        return switch port {
        case 8883, 8884, 8886, 443, 8443: "; port \(port) is usually for TLS: connect with mqtts://."
        case 8084: "; port \(port) is usually for WebSocket over TLS: connect with wss://."
        case 80, 8080, 8000, 8083, 9001:
            "; port \(port) is usually for HTTP or WebSocket: connect with ws://, or use MQTT's port, usually 1883."
        default: nil
        }
    }
}

import NIOCore

extension WebSocketSettings {
    /// Makes the request of one attempt to connect; `nil` if there is no WebSocket.
    ///
    /// - Parameter limit: How long ``prepareRequest`` may take.
    func request(
        to endpoint: Endpoint, within limit: Duration, on eventLoop: any EventLoop
    ) async throws(TransportError) -> WebSocketSettings.Request? {
        guard let target = endpoint.webSocket, let port = endpoint.port else { return nil }
        guard (125...268_435_460).contains(self.maximumFrameSize) else {
            throw TransportError(
                .invalidConfiguration,
                "The maximum frame size of a WebSocket is \(self.maximumFrameSize); it must be from 125 to 268435460.")
        }
        var request = WebSocketSettings.Request(
            host: endpoint.host, port: port, isSecure: endpoint.security == .tls, target: target, headers: self.headers)
        let steps = [self.prepareRequest, self.signRequest].compactMap(\.self)
        if !steps.isEmpty {
            let prepare: @Sendable (inout Request) async throws -> Void = { request in
                for step in steps { try await step(&request) }
            }
            request = try await Self.prepare(request, prepare, to: endpoint, within: limit, on: eventLoop)
        }
        try request.validate()
        return request
    }

    private static func prepare(
        _ request: WebSocketSettings.Request,
        _ prepare: @escaping @Sendable (inout WebSocketSettings.Request) async throws -> Void,
        to endpoint: Endpoint, within limit: Duration, on eventLoop: any EventLoop
    ) async throws(TransportError) -> WebSocketSettings.Request {
        let prepared = OneShot<Result<WebSocketSettings.Request, TransportError>>()
        let work = Task {
            var request = request
            do {
                try await prepare(&request)
                prepared.set(.success(request))
            } catch let error as TransportError {
                prepared.set(.failure(error))
            } catch {
                prepared.set(
                    .failure(
                        TransportError(
                            .invalidConfiguration,
                            "The WebSocket request to \(endpoint) could not be prepared: \(type(of: error)).",
                            cause: error)))
            }
        }
        let deadline = eventLoop.scheduleTask(in: TimeAmount(limit)) {
            prepared.set(
                .failure(
                    TransportError(
                        .timedOut, "The WebSocket request to \(endpoint) was not prepared within \(limit).")))
        }
        defer {
            work.cancel()
            deadline.cancel()
        }
        guard let result = await prepared.wait() else { throw .cancelled(endpoint) }
        return try result.get()
    }
}

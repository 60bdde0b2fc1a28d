import CurlewCore

extension ConnectPlan {
    /// Why the attempt takes too long.
    ///
    /// - Parameter phase: What it was doing.
    func timedOut(while phase: ConnectPhases.Phase) -> TransportError {
        if let proxy = self.proxy?.proxy, phase != .opening {
            return TransportError(
                .timedOut,
                "The proxy \(proxy.address) did not connect to \(self.endpoint) within \(self.timeout); check the proxy, and "
                    + "that it can reach the broker."
            )
        }
        guard phase == .opening, self.webSocket != nil else { return .timedOut(self.endpoint, self.timeout) }
        let handshakes = self.tls == nil ? "WebSocket handshake" : "handshakes of TLS and WebSocket"
        return TransportError(
            .timedOut,
            "\(self.endpoint) did not answer the \(handshakes) within \(self.timeout); check that this is its port for WebSocket."
        )
    }

    /// Why a socket could not be connected: tells failures of the proxy apart from those of the server.
    func connectingFailed(_ error: any Error) -> TransportError {
        guard let proxy = self.proxy?.proxy else { return self.openingFailed(error) }
        let failure = TransportError(connectingTo: self.target, failedWith: error, timeout: self.timeout)
        let message =
            switch failure.code {
            case .outOfResources: failure.message
            case .connectionRefused:
                "The proxy \(proxy.address) refused the connection; check that it is running, and its port."
            case .hostNotFound:
                "The host name of the proxy, \(proxy.host), could not be resolved; check its spelling and the network."
            case .timedOut: "The proxy \(proxy.address) did not answer; check host, port and firewall."
            default: "There is no connection to the proxy \(proxy.address); check the network and the address."
            }
        return TransportError(failure.code == .outOfResources ? failure.code : .proxyFailed, message, cause: error)
    }

    /// Why the proxy, TLS or the WebSocket did not get ready.
    func openingFailed(_ error: any Error) -> TransportError {
        TransportError(connectingTo: self.endpoint, failedWith: error, timeout: self.timeout)
    }
}

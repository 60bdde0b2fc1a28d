import CurlewCore
import NIOHTTP1

/// Decides which requests to a connection of a listener open a WebSocket.
struct WebSocketRules: Sendable {
    let settings: WebSocketServerSettings
    let proxies: TrustedProxies
    /// The address of the peer; `nil` if it is none of IP.
    let address: String?
    /// Whether the peer is on this machine.
    let isLocal: Bool

    /// The subprotocols of MQTT, the first for 3.1.1 and 5.0, the other for 3.1.
    private static let subprotocols = ["mqtt", "mqttv3.1"]

    /// The subprotocol to choose for a request; `nil` if it offers none of MQTT.
    static func subprotocol(for request: HTTPRequestHead) -> String? {
        let offered = request.headers[canonicalForm: "Sec-WebSocket-Protocol"].map(String.init)
        return offered.first(where: Self.subprotocols.contains)
    }

    /// The client behind a trusted proxy; `nil` if the peer is none, or states no address.
    func forwardedClient(of request: HTTPRequestHead) -> ForwardedClient? {
        self.address.flatMap { self.proxies.client(forwardedFor: request.headers["X-Forwarded-For"], by: $0) }
            .map { ForwardedClient(address: $0) }
    }

    /// Why a request is not answered with a WebSocket; `nil` if it is.
    func objection(to request: HTTPRequestHead) -> WebSocketObjection? {
        let upgrades = request.headers["Upgrade"]
        guard upgrades.count == 1, upgrades[0].lowercased() == "websocket" else { return .noUpgrade }
        let path = String(request.uri.prefix { $0 != "?" })
        guard self.settings.paths.isEmpty || self.settings.paths.contains(path) else { return .path }
        let origins = request.headers["Origin"]
        let isLocal = self.forwardedClient(of: request)?.isLocal ?? self.isLocal
        guard origins.count <= 1, self.settings.origins.permit(origins.first, isLocal: isLocal) else { return .origin }
        guard Self.subprotocol(for: request) != nil else { return .subprotocol }
        guard request.method == .GET, request.headers["Content-Length"].isEmpty,
            request.headers["Transfer-Encoding"].isEmpty,
            request.headers[canonicalForm: "Connection"].contains(where: { $0.lowercased() == "upgrade" })
        else { return .malformed }
        let host = request.headers.first(name: "Host") ?? ""
        return self.settings.refusal?(request.uri, host).map { .refused($0) }
    }
}

import CurlewCore
import NIOHTTP1

/// What a listener for WebSocket accepts.
package struct WebSocketServerSettings: Sendable {
    /// The paths at which there is a WebSocket; empty for every path.
    package var paths: Set<String> = []
    /// Which pages may connect.
    package var origins: WebSocketOrigins = .automatic
    /// The maximum size of a request's header in bytes.
    package var maximumHeaderSize = 16 << 10
    /// The maximum size of a received frame in bytes.
    package var maximumFrameSize = 1 << 20

    package init() {}
}

/// Which web pages may connect to a listener. A browser says which page it connects for, and other programs say
/// nothing.
///
/// A page of another origin could otherwise use the visitor's browser to reach a broker that trusts this machine.
package enum WebSocketOrigins: Hashable, Sendable {
    /// Every page; but pages of this machine only, if the browser connects from this machine.
    case automatic
    /// Every page.
    case any
    /// Pages of these origins, such as `https://example.com:8443`.
    case only(Set<String>)

    /// Whether a request is permitted.
    ///
    /// - Parameters:
    ///   - origin: The value of its field `Origin`; `nil` if it has none.
    ///   - isLocal: Whether it comes from this machine.
    package func permit(_ origin: String?, isLocal: Bool) -> Bool {
        guard let origin else { return true }
        switch self {
        case .any: return true
        case .automatic: return !isLocal || Self.isOfThisMachine(origin)
        case .only(let origins): return origins.contains(origin.lowercased())
        }
    }

    /// By name and not by address: a page of another site can give its own name the address of this machine.
    private static func isOfThisMachine(_ origin: String) -> Bool {
        let lowercased = origin.lowercased()
        guard let scheme = ["http://", "https://"].first(where: lowercased.hasPrefix) else { return false }
        let authority = lowercased.dropFirst(scheme.count)
        let host = authority.hasPrefix("[") ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
        return host == "localhost" || host.hasSuffix(".localhost") || host == "[::1]"
            || host.hasPrefix("127.") && host.allSatisfy { $0.isNumber || $0 == "." }
    }
}

/// Why a listener does not open a WebSocket.
enum WebSocketObjection: Equatable {
    /// The request is an ordinary one.
    case noUpgrade
    /// There is no WebSocket at this path.
    case path
    /// Pages of this origin may not connect.
    case origin
    /// The client does not offer the subprotocol of MQTT [MQTT-6.0.0-3].
    case subprotocol
    /// The handshake is not one of RFC 6455.
    case malformed

    var status: HTTPResponseStatus {
        switch self {
        case .noUpgrade: .upgradeRequired
        case .path: .notFound
        case .origin: .forbidden
        case .subprotocol, .malformed: .badRequest
        }
    }

    /// For the operator of the listener.
    func sentence(about request: HTTPRequestHead) -> String {
        switch self {
        case .noUpgrade: "The client sent an ordinary HTTP request."
        case .path: "There is no WebSocket at \(String(request.uri.prefix { $0 != "?" }).printable)."
        case .origin:
            "Pages of \((request.headers.first(name: "Origin") ?? "").printable) may not connect; permit their origin with "
                + "--allow-origin, websockets_origin or WebSocket.origins."
        case .subprotocol: "The client does not offer the subprotocol mqtt."
        case .malformed: "The request is not a valid WebSocket handshake."
        }
    }

    /// For the client's developer.
    var text: String {
        switch self {
        case .noUpgrade:
            "This is an MQTT broker's port for WebSocket. Connect with an MQTT client, such as curlew sub ws://…"
        case .path: "There is no WebSocket at this path."
        case .origin: "Pages of this origin may not connect to this MQTT broker."
        case .subprotocol: "Ask for the WebSocket subprotocol 'mqtt'."
        case .malformed: "This is not a valid WebSocket handshake (RFC 6455)."
        }
    }
}

/// Decides which requests to a connection of a listener open a WebSocket.
struct WebSocketGate: Sendable {
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
        return nil
    }
}

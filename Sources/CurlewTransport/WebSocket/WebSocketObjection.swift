import CurlewCore
import NIOHTTP1

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
    /// The program that embeds the listener does not accept it, for this reason.
    case refused(String)

    var status: HTTPResponseStatus {
        switch self {
        case .noUpgrade: .upgradeRequired
        case .path: .notFound
        case .origin, .refused: .forbidden
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
        case .refused(let reason): reason
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
        case .refused: "This request is not authorized."
        }
    }
}

import CurlewCore
import Logging
import NIOCore

// Clients that speak another protocol than MQTT, for example because two ports were mixed up.
extension BrokerConnection {
    /// Ends the connection if its first bytes belong to another protocol, which is logged and stated in an answer that
    /// the client's software can show.
    func turnAwayForeign() -> Bool {
        guard let bytes = self.input.unread, let foreign = ForeignProtocol(request: bytes) else { return false }
        self.engine.clientLog.write(
            .foreign,
            saying: "connection closed: the client speaks \(foreign.name), and this port MQTT; \(foreign.remedy)",
            self.metadata.merging(["listener": "\(self.rules.name)"]) { $1 })
        if let answer = foreign.answer {
            self.output.replies.writeString(answer)
        } else if foreign == .tls {
            // An answer that is not a TLS record makes clients report that the server does not speak TLS.
            self.version = .v5_0
            self.send(.connack(ConnAck(reasonCode: .unsupportedProtocolVersion)))
        }
        self.finish()
        return true
    }
}

extension ForeignProtocol {
    /// What the user can do about it.
    fileprivate var remedy: String {
        switch self {
        case .tls: "connect without TLS, or to a listener with TLS"
        case .webSocket: "MQTT over WebSocket is not supported here; connect over TCP"
        case .http, .ssh, .amqp, .text, .unknown: "connect with an MQTT client"
        }
    }

    /// An answer in the client's own protocol; `nil` if there is none.
    fileprivate var answer: String? {
        guard self == .http || self == .webSocket else { return nil }
        let text = "This port speaks MQTT, not HTTP or WebSocket. Connect with an MQTT client.\n"
        return "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: \(text.utf8.count)\r\n"
            + "Connection: close\r\n\r\n\(text)"
    }
}

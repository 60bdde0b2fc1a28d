import CurlewCore
import Logging
import NIOCore

// Clients that speak another protocol than MQTT, because somebody has mixed up two ports.
extension BrokerConnection {
    /// Ends the connection if its first bytes are of another protocol; the log says of which, and so does an answer that the client's
    /// software can show.
    func turnAwayForeign() -> Bool {
        guard let bytes = self.input.unread, let foreign = ForeignProtocol(request: bytes) else { return false }
        self.engine.clientLog.write(
            .foreign,
            saying: "connection closed: the client speaks \(foreign.name), and this port MQTT; \(foreign.remedy)",
            self.metadata.merging(["listener": "\(self.rules.name)"]) { $1 })
        if let answer = foreign.answer {
            self.replies.writeString(answer)
        } else if foreign == .tls {
            // What is no record of TLS makes its client say that the server does not speak TLS.
            self.version = .v5_0
            self.send(.connack(ConnAck(reasonCode: .unsupportedProtocolVersion)))
        }
        self.finish()
        return true
    }
}

extension ForeignProtocol {
    /// What somebody can do about it.
    fileprivate var remedy: String {
        switch self {
        case .tls: "connect without TLS, or to a listener with TLS"
        case .webSocket: "MQTT over WebSocket is not supported here; connect over TCP"
        case .http, .ssh, .amqp, .text, .unknown: "connect with an MQTT client"
        }
    }

    /// What to say to it in its own words; `nil` where there are none.
    fileprivate var answer: String? {
        guard self == .http || self == .webSocket else { return nil }
        let text = "This port speaks MQTT, not HTTP or WebSocket. Connect with an MQTT client.\n"
        return "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: \(text.utf8.count)\r\n"
            + "Connection: close\r\n\r\n\(text)"
    }
}

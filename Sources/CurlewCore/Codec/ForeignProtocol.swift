package import NIOCore

/// A protocol other than MQTT, recognised by its first bytes: somebody has confused two ports.
package enum ForeignProtocol: Hashable, Sendable {
    case tls
    case http
    /// An HTTP request for WebSocket.
    case webSocket
    case ssh
    case amqp
    /// A server that greets in lines, as mail and FTP servers do.
    case text
    /// Another protocol.
    case unknown

    /// The protocol of a server that sent these bytes before CONNACK; `nil` if they may be MQTT.
    package init?(answer bytes: ByteBuffer) {
        // Only CONNACK and AUTH may come.
        guard let first = bytes.readableBytesView.first, first != 0x20, first != 0xF0 else { return nil }
        if let known = Self(bytes) {
            self = known
            return
        }
        // A packet that comes too early is still MQTT.
        if Self.packetBeginnings.contains(first) { return nil }
        self = .unknown
    }

    /// The possible first bytes of packets from a server: type and flags.
    private static let packetBeginnings: Set<UInt8> = Set(0x30...0x3F).union([
        0x40, 0x50, 0x62, 0x70, 0x90, 0xB0, 0xD0, 0xE0,
    ])

    /// The protocol of a client that sent these bytes before CONNECT; `nil` if they may be MQTT.
    package init?(request bytes: ByteBuffer) {
        guard let first = bytes.readableBytesView.first, first != 0x10 else { return nil }
        self.init(bytes)
    }

    private init?(_ bytes: ByteBuffer) {
        let start = bytes.readableBytesView.prefix(8)
        // The record types alert and handshake, followed by a version from 3.0 on.
        if start.starts(with: [0x15, 0x03]) || start.starts(with: [0x16, 0x03]) {
            self = .tls
        } else if Self.httpBeginnings.contains(where: { start.starts(with: $0.utf8) }) {
            self = Self.asksForWebSocket(bytes) ? .webSocket : .http
        } else if start.starts(with: "SSH-".utf8) {
            self = .ssh
        } else if start.starts(with: "AMQP".utf8) {
            self = .amqp
        } else if Self.greetings.contains(where: { start.starts(with: $0.utf8) }) {
            self = .text
        } else {
            return nil
        }
    }

    private static let httpBeginnings = [
        "HTTP/", "GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "OPTIONS ", "PATCH ", "CONNECT ", "TRACE ", "PRI * ",
        "<html", "<HTML", "<!doctyp", "<!DOCTYP", "<?xml",
    ]

    /// SMTP and FTP, IMAP, POP3, Redis.
    private static let greetings = ["220 ", "220-", "* OK", "+OK", "-ERR"]

    /// Looks at no more bytes than the usual length of a request.
    private static func asksForWebSocket(_ bytes: ByteBuffer) -> Bool {
        let head = String(decoding: bytes.readableBytesView.prefix(4096), as: UTF8.self).lowercased()
        return head.contains("upgrade: websocket") || head.contains("upgrade:websocket")
    }

    /// The protocol's name, as part of a sentence.
    package var name: String {
        switch self {
        case .tls: "TLS"
        case .http: "HTTP"
        case .webSocket: "WebSocket"
        case .ssh: "SSH"
        case .amqp: "AMQP"
        case .text: "a protocol of text lines"
        case .unknown: "another protocol"
        }
    }

    /// The usual location of MQTT, as part of a sentence.
    package static func rightPort(isSecure: Bool) -> String {
        isSecure ? "the broker's port for MQTT over TLS, usually 8883" : "the broker's MQTT port, usually 1883"
    }

    /// Advice about a server that has answered CONNECT in this protocol.
    package func advice(isSecure: Bool) -> String {
        let port = Self.rightPort(isSecure: isSecure)
        return switch self {
        case .tls where !isSecure: "this port expects TLS; connect with mqtts://, or use the port for plain MQTT"
        case .http, .webSocket: "this port is for HTTP or WebSocket; use \(port)"
        case .tls, .ssh, .amqp, .text, .unknown: "use \(port)"
        }
    }
}

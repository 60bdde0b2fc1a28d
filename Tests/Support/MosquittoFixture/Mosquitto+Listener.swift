extension Mosquitto {
    /// A kind of listener.
    package enum Listener: String, Sendable, CaseIterable, CustomStringConvertible {
        case tcp = "TCP"
        case tls = "TLS"
        /// Requires a client certificate.
        case mutualTLS = "TLS with client certificates"
        case preSharedKey = "TLS with pre-shared keys"
        /// The certificate has expired.
        case expired = "TLS, expired"
        /// The certificate is for another host.
        case elsewhere = "TLS, elsewhere"
        /// The certificate permits key encipherment but no signatures.
        case enciphering = "TLS, enciphering"
        case p521 = "TLS, P-521"
        case ed25519 = "TLS, Ed25519"
        case webSocket = "WebSocket"
        /// Requires a client certificate.
        case secureWebSocket = "WebSocket over TLS with client certificates"
        case unix = "Unix domain socket"

        package var description: String { self.rawValue }
        package var isSecure: Bool { self != .tcp && self != .webSocket && self != .unix }

        /// The listener's lines in the configuration file.
        var settings: [String] {
            let folder = Peers.certificates
            func certificate(_ name: String, key: String? = nil) -> [String] {
                ["certfile \(folder)/\(name).pem", "keyfile \(folder)/\(key ?? name).key.pem"]
            }
            return switch self {
            case .tcp, .unix: []
            case .webSocket: ["protocol websockets"]
            case .secureWebSocket:
                ["protocol websockets", "cafile \(folder)/ca.pem", "require_certificate true"] + certificate("server")
            case .tls: certificate("server")
            case .mutualTLS: certificate("server") + ["cafile \(folder)/ca.pem", "require_certificate true"]
            case .preSharedKey: ["psk_hint curlew"]
            case .expired: certificate("expired")
            case .elsewhere: certificate("elsewhere")
            case .enciphering: certificate("matrix/rsa-enciphers", key: "matrix/rsa")
            case .p521: certificate("matrix/P-521-signs", key: "matrix/P-521")
            case .ed25519: certificate("matrix/ed25519-signs", key: "matrix/ed25519")
            }
        }
    }
}

#if Tools
import CurlewBroker
import CurlewCore

/// The address of a listener, as `--listen` and log lines write it.
struct ListenerAddress: Equatable, Sendable {
    /// How clients connect.
    enum Scheme: String, CaseIterable, Sendable {
        case mqtt, mqtts, ws, wss
        case unix = "mqtt+unix"

        var isSecure: Bool { self == .mqtts || self == .wss }
        var isWebSocket: Bool { self == .ws || self == .wss }

        /// The port if none is given.
        var usualPort: Int {
            switch self {
            case .mqtt: 1883
            case .mqtts: 8883
            case .ws: 8083
            case .wss: 8084
            case .unix: 0
            }
        }
    }

    var scheme: Scheme
    /// Without brackets; `*` for all addresses of the machine. Empty for a Unix domain socket.
    var host: String
    /// The requested port; 0 for any free port.
    var port: Int
    /// The path of a WebSocket; empty for every path. The path of a Unix domain socket.
    var path = ""

    /// - Parameter bound: The actual port.
    func url(bound: Int) -> String {
        guard self.scheme != .unix else { return "\(self.scheme.rawValue)://\(self.path.percentEncodedPath)" }
        return "\(self.scheme.rawValue)://\(hostInURL(self.host, port: bound))\(self.path)"
    }

    /// Whether only this machine can reach it.
    var isReachableOnlyLocally: Bool {
        self.scheme == .unix || self.host == "localhost" || self.host == "::1" || self.host.hasPrefix("127.")
    }

    /// The listener of the broker.
    ///
    /// - Parameters:
    ///   - tls: Ignored unless the address needs it.
    ///   - webSocket: The settings besides the path.
    func listener(
        tls: MQTTBrokerConfiguration.TLS?, webSocket: MQTTBrokerConfiguration.WebSocket = .init(),
        permissions: UInt16? = nil
    ) -> MQTTBrokerConfiguration.Listener {
        switch self.scheme {
        case .unix: return .unix(path: self.path, permissions: permissions)
        case .ws, .wss:
            var webSocket = webSocket
            if !self.path.isEmpty { webSocket.paths = [self.path] }
            return .webSocket(
                host: self.host, port: self.port, tls: self.scheme.isSecure ? tls : nil, settings: webSocket)
        case .mqtt, .mqtts: return .tcp(host: self.host, port: self.port, tls: self.scheme.isSecure ? tls : nil)
        }
    }
}

extension ListenerAddress {
    /// Parses a URL such as `mqtt://host:port`, `wss://host:port/path` or `mqtt+unix:///path`; host, port or both can
    /// be omitted.
    init(url: String) throws(Objection) {
        guard let scheme = Scheme.allCases.first(where: { url.hasPrefix("\($0.rawValue)://") }) else {
            throw Objection(
                "'\(url)' is not an address to listen on; give mqtt://host:port, mqtts://…, ws://…, wss://… or "
                    + "mqtt+unix:///path.")
        }
        self.scheme = scheme
        var rest = url.dropFirst(scheme.rawValue.count + 3)
        guard scheme != .unix else {
            guard rest.hasPrefix("/"), rest.count > 1 else {
                throw Objection(
                    "'\(url)' has no absolute path; write three slashes, as in mqtt+unix:///run/curlew.sock.")
            }
            guard let path = String(rest).percentDecoded else {
                throw Objection(
                    "'\(url)' has a '%' without two hexadecimal digits, or is not UTF-8; write %25 for a '%'.")
            }
            (self.host, self.port, self.path) = ("", 0, path)
            return
        }
        if scheme.isWebSocket, let slash = rest.firstIndex(of: "/") {
            self.path = String(rest[slash...])
            rest = rest[..<slash]
        } else if rest.hasSuffix("/") {
            rest.removeLast()
        }
        guard !rest.contains(where: { "/@?#".contains($0) }), !self.path.contains(where: { "?#".contains($0) }) else {
            throw Objection("'\(url)' contains more than a host and a port; leave out the rest.")
        }
        if rest.hasPrefix("[") {
            guard let end = rest.firstIndex(of: "]") else {
                throw Objection("'\(url)' has no ] after its address.")
            }
            self.host = String(rest[rest.index(after: rest.startIndex)..<end])
            rest = rest[rest.index(after: end)...]
        } else {
            let host = rest.prefix { $0 != ":" }
            self.host = host.isEmpty ? "127.0.0.1" : String(host)
            rest = rest[host.endIndex...]
        }
        guard rest.isEmpty || rest.first == ":" && Int(rest.dropFirst()).map((0...65_535).contains) == true else {
            throw Objection(
                "'\(url)' has no port from 0 to 65535 after its host; put IPv6 addresses in brackets.")
        }
        self.port = rest.isEmpty ? scheme.usualPort : Int(rest.dropFirst()) ?? scheme.usualPort
    }
}
#endif

#if Tools
import Curlew
import CurlewCore

/// The brokers named by options and environment, in the order in which they are tried.
struct ServerChoice {
    /// The brokers as URLs; then there are no hosts.
    private(set) var urls: [String]
    private var hosts: [String]
    /// No port, one for all hosts, or one per host.
    private var ports: [Int]
    /// Whether an option enables TLS, regardless of the port.
    private var wantsTLS: Bool
    private var unixSocket: String?
    private var usesWebSocket: Bool
    private var headers: [WebSocketSettings.Header]

    /// Removes the variables that name several brokers, because the library reads only one from them.
    init(_ options: ConnectionOptions, _ tls: TLSOptions, _ environment: inout CommandEnvironment) throws {
        self.urls = options.urls
        self.hosts = options.hosts
        self.ports = options.ports
        self.wantsTLS = tls.first != nil
        self.unixSocket = options.unixSocket
        self.usesWebSocket = options.usesWebSocket
        self.headers = options.headers.map(\.header)
        if self.unixSocket != nil { environment.remove("MQTT_URL", "MQTT_HOST", "MQTT_PORT") }
        guard self.urls.isEmpty, self.hosts.isEmpty else { return }
        if let text = environment["MQTT_URL"] {
            let urls = text.split(separator: " ").map(String.init)
            guard urls.count > 1 else { return }
            self.urls = urls
            environment.remove("MQTT_URL")
        } else if let text = environment["MQTT_HOST"] {
            let hosts = text.split { ", ".contains($0) }.map { HostSyntax.bare(String($0)) }
            for host in hosts {
                guard let problem = HostSyntax.problem(with: host) else { continue }
                throw CommandFailure("The environment variable \(environment.name(of: "MQTT_HOST")) \(problem).")
            }
            self.hosts = hosts
            environment["MQTT_HOST"] = hosts.first
        }
    }

    /// Replaces the broker that the library has read by all brokers.
    func apply(to configuration: inout MQTTConfiguration) throws {
        if let unixSocket {
            configuration.servers = [.unix(path: unixSocket)]
        } else {
            try self.applyHosts(to: &configuration)
        }
        if self.usesWebSocket { configuration.servers = configuration.servers.map(self.overWebSocket) }
        guard let header = self.headers.first else { return }
        guard configuration.servers.contains(where: { $0.scheme == .ws || $0.scheme == .wss }) else {
            throw CommandFailure("--header \(header.name) needs a WebSocket; give --ws, or a URL with ws:// or wss://.")
        }
        configuration.webSocket.headers = self.headers
    }

    private func overWebSocket(_ server: MQTTConfiguration.Server) -> MQTTConfiguration.Server {
        guard server.scheme == .mqtt || server.scheme == .mqtts else { return server }
        let port = self.ports.isEmpty && server.port == server.scheme.defaultPort ? nil : server.port
        return .init(host: server.host, port: port, scheme: server.scheme == .mqtts ? .wss : .ws)
    }

    private func applyHosts(to configuration: inout MQTTConfiguration) throws {
        guard self.urls.isEmpty else {
            guard let port = self.ports.first else { return }
            // -p may set the port of a URL without one.
            for (index, server) in configuration.servers.enumerated() {
                guard server.scheme != .unix else {
                    throw CommandFailure("The Unix domain socket \(server.path) has no port; leave out -p.")
                }
                guard [port, server.scheme.defaultPort].contains(server.port) else {
                    throw CommandFailure("The URL has port \(server.port) but -p sets \(port); give one of them.")
                }
                configuration.servers[index].port = port
            }
            return
        }
        guard let first = configuration.servers.first, self.hosts.count > 1 else {
            if let port = self.ports.first { configuration.servers[0].port = port }
            return
        }
        // Port 8883 implies TLS.
        let isSecure = self.wantsTLS || first.scheme.isSecure && first.port != 8883
        configuration.servers = self.hosts.enumerated().map { index, host in
            let port = self.ports.count > 1 ? self.ports[index] : first.port
            return .init(host: host, port: port, scheme: isSecure || port == 8883 ? .mqtts : .mqtt)
        }
    }
}
#endif

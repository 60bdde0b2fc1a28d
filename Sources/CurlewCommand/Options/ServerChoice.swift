#if Tools
import Curlew
import CurlewCore

/// The brokers that options and environment name, in the order in which they are tried.
struct ServerChoice {
    /// Given as URLs; then there are no hosts.
    private(set) var urls: [String]
    private var hosts: [String]
    /// None, one for all, or one for each host.
    private var ports: [Int]
    /// Whether something else than a port asks for TLS.
    private var wantsTLS: Bool

    /// Takes the names of several brokers out of the variables, of which the library reads one.
    init(_ options: ConnectionOptions, _ tls: TLSOptions, _ environment: inout CommandEnvironment) throws {
        self.urls = options.urls
        self.hosts = options.hosts
        self.ports = options.ports
        self.wantsTLS = tls.first != nil
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

    /// Puts all brokers in the place of the one that the library has read.
    func apply(to configuration: inout MQTTConfiguration) throws {
        guard self.urls.isEmpty else {
            guard let port = self.ports.first else { return }
            // A URL may leave the port to -p.
            for (index, server) in configuration.servers.enumerated() {
                guard [port, server.scheme.defaultPort].contains(server.port) else {
                    throw CommandFailure("The URL has port \(server.port) and -p says \(port); give one of them.")
                }
                configuration.servers[index].port = port
            }
            return
        }
        guard let first = configuration.servers.first, self.hosts.count > 1 else {
            if let port = self.ports.first { configuration.servers[0].port = port }
            return
        }
        // Port 8883 means TLS where nothing else says so.
        let isSecure = self.wantsTLS || first.scheme.isSecure && first.port != 8883
        configuration.servers = self.hosts.enumerated().map { index, host in
            let port = self.ports.count > 1 ? self.ports[index] : first.port
            return .init(host: host, port: port, scheme: isSecure || port == 8883 ? .mqtts : .mqtt)
        }
    }
}
#endif

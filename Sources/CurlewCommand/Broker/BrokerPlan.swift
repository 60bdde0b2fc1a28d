#if Tools
import CurlewBroker
import CurlewTransport

/// The result of arguments or a configuration file: how the broker runs, and what is reported.
struct BrokerPlan: Sendable {
    var configuration: MQTTBrokerConfiguration
    /// The addresses of the configuration's listeners, in the same order, for people.
    var addresses: [ListenerAddress]
    var log = LogSettings()
    /// Warnings to log at the start.
    var warnings: [String] = []
    /// The name of a TLS setting in the arguments or the file, given the index of the listener.
    var settingName: @Sendable (_ listener: Int, TLSSetting) -> String = { _, setting in
        TLSSettingNames(arguments: [], variable: { _ in nil }).name(setting)
    }
}

/// A listener's address, for people.
struct ListenerAddress: Equatable, Sendable {
    var isSecure: Bool
    /// Without brackets; `*` for all addresses of the machine.
    var host: String
    /// The requested port; 0 for any free port.
    var port: Int

    /// - Parameter bound: The actual port.
    func url(bound: Int) -> String {
        "\(self.isSecure ? "mqtts" : "mqtt")://\(self.host.contains(":") ? "[\(self.host)]" : self.host):\(bound)"
    }
}

extension ListenerAddress {
    /// Parses `mqtt://host:port` or `mqtts://host:port`; host, port or both can be omitted.
    init(url: String) throws(Objection) {
        if url.hasPrefix("mqtts://") {
            self.isSecure = true
        } else if url.hasPrefix("mqtt://") {
            self.isSecure = false
        } else if url.hasPrefix("ws://") || url.hasPrefix("wss://") || url.hasPrefix("mqtt+unix://") {
            throw Objection("'\(url)' names a transport that is not supported yet; give mqtt:// or mqtts://.")
        } else {
            throw Objection("'\(url)' is not an address to listen on; give mqtt://host:port or mqtts://host:port.")
        }
        var rest = Substring(url.drop { $0 != ":" }.dropFirst(3))
        if rest.hasSuffix("/") { rest.removeLast() }
        guard !rest.contains(where: { "/@?#".contains($0) }) else {
            throw Objection("'\(url)' contains more than a host and a port; leave out the rest.")
        }
        let usual = self.isSecure ? 8883 : 1883
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
        self.port = rest.isEmpty ? usual : Int(rest.dropFirst()) ?? usual
    }
}
#endif

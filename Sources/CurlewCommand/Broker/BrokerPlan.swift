#if Tools
import CurlewBroker
import CurlewTransport

/// What arguments or a file come to: how a broker runs, and what is told about it.
struct BrokerPlan: Sendable {
    var configuration: MQTTBrokerConfiguration
    /// How each listener of the configuration is written, in the same order.
    var addresses: [ListenerAddress]
    var log = LogSettings()
    /// What is worth a word at the start.
    var warnings: [String] = []
    /// What a person knows a setting of TLS by, given the index of the listener.
    var settingName: @Sendable (_ listener: Int, TLSSetting) -> String = { _, setting in
        TLSSettingNames(arguments: [], variable: { _ in nil }).name(setting)
    }
}

/// Where a listener listens, for people.
struct ListenerAddress: Equatable, Sendable {
    var isSecure: Bool
    /// Without brackets; `*` for all of the machine.
    var host: String
    /// As it was asked for: 0 for any free one.
    var port: Int

    /// - Parameter bound: The port that it came to.
    func url(bound: Int) -> String {
        "\(self.isSecure ? "mqtts" : "mqtt")://\(self.host.contains(":") ? "[\(self.host)]" : self.host):\(bound)"
    }
}

extension ListenerAddress {
    /// Reads `mqtt://host:port` or `mqtts://host:port`; host, port or both can be left out.
    init(url: String) throws(Objection) {
        if url.hasPrefix("mqtts://") {
            self.isSecure = true
        } else if url.hasPrefix("mqtt://") {
            self.isSecure = false
        } else if url.hasPrefix("ws://") || url.hasPrefix("wss://") || url.hasPrefix("mqtt+unix://") {
            throw Objection("'\(url)' is a transport that is not supported yet; give mqtt:// or mqtts://.")
        } else {
            throw Objection("'\(url)' is nothing to listen on; give mqtt://host:port or mqtts://host:port.")
        }
        var rest = Substring(url.drop { $0 != ":" }.dropFirst(3))
        if rest.hasSuffix("/") { rest.removeLast() }
        guard !rest.contains(where: { "/@?#".contains($0) }) else {
            throw Objection("'\(url)' says more than a host and a port; leave out the rest.")
        }
        let usual = self.isSecure ? 8883 : 1883
        if rest.hasPrefix("[") {
            guard let end = rest.firstIndex(of: "]") else {
                throw Objection("'\(url)' has no ] behind its address.")
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
                "'\(url)' has no port from 0 to 65535 behind its host; IPv6 addresses stand in brackets.")
        }
        self.port = rest.isEmpty ? usual : Int(rest.dropFirst()) ?? usual
    }
}
#endif

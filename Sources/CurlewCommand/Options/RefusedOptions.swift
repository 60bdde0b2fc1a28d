#if Tools
import ArgumentParser

/// What mosquitto's commands know and this one does not, or not yet: refused with the reason, for an option that is passed
/// over in silence is worse than one that is missing.
struct RefusedOptions: ParsableArguments {
    @Flag(name: [.customShort("S"), .customLong("srv")], help: .private)
    var looksUpServer = false

    @Option(name: .customLong("proxy"), help: .private)
    var proxy: String?

    @Option(name: .customLong("unix"), help: .private)
    var unixSocket: String?

    @Flag(name: .customLong("ws"), help: .private)
    var usesWebSocket = false

    @Option(name: .customLong("tls-engine"), help: .private)
    var tlsEngine: String?

    @Option(name: .customLong("tls-engine-kpass-sha1"), help: .private)
    var tlsEnginePassword: String?

    func validate() throws {
        let engines = "OpenSSL engines are not supported; give the key as a file with --key"
        let refusals: [(Bool, String)] = [
            (self.looksUpServer, "-S, to look the server up in DNS, is not supported yet; name the server with -h"),
            (
                self.proxy != nil,
                "--proxy is not supported yet; leave it out, or tunnel the port, for instance with ssh -L"
            ),
            (self.unixSocket != nil, "--unix, a socket of this machine, is not supported yet; use -h and -p"),
            (self.usesWebSocket, "--ws, MQTT over WebSocket, is not supported yet; use the server's TCP port"),
            (self.tlsEngine != nil, "--tls-engine: \(engines)"),
            (self.tlsEnginePassword != nil, "--tls-engine-kpass-sha1: \(engines)"),
        ]
        if let refusal = refusals.first(where: \.0)?.1 { throw ValidationError(refusal) }
    }
}
#endif

#if Tools
import ArgumentParser

/// Options of mosquitto's commands that are not supported, or not yet. They are refused with the reason: an option that
/// is silently ignored would be worse.
struct RefusedOptions: ParsableArguments {
    @Flag(name: [.customShort("S"), .customLong("srv")], help: .private)
    var looksUpServer = false

    @Option(name: .customLong("tls-engine"), help: .private)
    var tlsEngine: String?

    @Option(name: .customLong("tls-engine-kpass-sha1"), help: .private)
    var tlsEnginePassword: String?

    func validate() throws {
        let engines = "OpenSSL engines are not supported; give a key file with --key"
        let refusals: [(Bool, String)] = [
            (self.looksUpServer, "-S, DNS service lookup, is not supported yet; name the broker with -h"),
            (self.tlsEngine != nil, "--tls-engine: \(engines)"),
            (self.tlsEnginePassword != nil, "--tls-engine-kpass-sha1: \(engines)"),
        ]
        if let refusal = refusals.first(where: \.0)?.1 { throw ValidationError(refusal) }
    }
}
#endif

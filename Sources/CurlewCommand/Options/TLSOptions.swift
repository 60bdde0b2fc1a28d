#if Tools
import ArgumentParser
import Curlew

/// TLS settings. Each of these options enables TLS.
struct TLSOptions: ParsableArguments {
    @Option(
        name: .customLong("cafile"), help: "File of CA certificates to trust. (default: those of the operating system)")
    var authoritiesFile: String?

    @Option(name: .customLong("capath"), help: "Directory of CA certificates to trust.")
    var authoritiesDirectory: String?

    @Flag(name: .customLong("tls-use-os-certs"), help: "Use TLS, and trust the CAs of the operating system.")
    var usesSystemAuthorities = false

    @Option(
        name: .customLong("crlfile"),
        help:
            "File of certificate revocation lists (CRLs), PEM or DER. A broker without a current list of its issuer is refused."
    )
    var revocationLists: String?

    @Option(
        name: .customLong("cert"),
        help:
            "Client certificate file, PEM or DER; or a file that includes the key: PEM or a PKCS#12 bundle (.p12, .pfx)."
    )
    var certificate: String?

    @Option(
        name: .customLong("key"),
        help:
            "Client private key file, if --cert does not include it. If it is encrypted, set CURLEW_PRIVATE_KEY_PASSPHRASE."
    )
    var key: String?

    @Option(name: .customLong("keyform"), help: .private)
    var keyForm: String?

    @Flag(
        name: .customLong("insecure"),
        help: "Skip host name verification. An attacker with any trusted certificate can impersonate the broker.")
    var isInsecure = false

    @Option(
        name: .customLong("tls-alpn"),
        help: "ALPN protocol to offer, for example mqtt; separate several with commas.")
    var applicationProtocols: String?

    @Option(
        name: .customLong("tls-version"),
        help: ArgumentHelp("Minimum TLS version.", valueName: "version"))
    var version: TLSVersionArgument?

    @Option(
        name: .customLong("ciphers"), parsing: .unconditional,
        help: "Cipher suites for TLS 1.2 and older, by their OpenSSL names; separate several with colons.")
    var cipherSuites: String?

    @Option(
        name: .customLong("psk"), parsing: .unconditional,
        help: ArgumentHelp(
            "Pre-shared key in hexadecimal. Other users of this machine can see it; use CURLEW_PSK to hide it.",
            valueName: "hex"), transform: HexadecimalKey.read)
    var preSharedKey: HexadecimalKey?

    @Option(name: .customLong("psk-identity"), help: "Identity of the pre-shared key.")
    var preSharedKeyIdentity: String?

    /// The first of the given options; each of them enables TLS.
    var first: String? {
        let given: [(String, Bool)] = [
            ("--cafile", self.authoritiesFile != nil), ("--capath", self.authoritiesDirectory != nil),
            ("--tls-use-os-certs", self.usesSystemAuthorities), ("--crlfile", self.revocationLists != nil),
            ("--cert", self.certificate != nil),
            ("--key", self.key != nil), ("--insecure", self.isInsecure),
            ("--tls-alpn", self.applicationProtocols != nil), ("--tls-version", self.version != nil),
            ("--ciphers", self.cipherSuites != nil),
            ("--psk", self.preSharedKey != nil), ("--psk-identity", self.preSharedKeyIdentity != nil),
        ]
        return given.first { $0.1 }?.0
    }

    func validate() throws {
        let authorities = [
            ("--cafile", self.authoritiesFile != nil), ("--capath", self.authoritiesDirectory != nil),
            ("--tls-use-os-certs", self.usesSystemAuthorities),
        ].filter(\.1).map(\.0)
        if authorities.count > 1 {
            throw ValidationError("\(authorities.joined(separator: " and ")) exclude each other; give one of them")
        }
        if self.certificate == nil, self.key != nil {
            throw ValidationError("--key needs its certificate; give --cert as well")
        }
        if let keyForm {
            guard keyForm == "pem" else {
                throw ValidationError("--keyform can only be pem; keys are read from files, not from OpenSSL engines")
            }
            guard self.key != nil else { throw ValidationError("--keyform needs --key") }
        }
        guard self.preSharedKeyIdentity != nil else {
            guard self.preSharedKey == nil else {
                throw ValidationError("--psk needs --psk-identity, the name of the key")
            }
            return
        }
        if let first = authorities.first ?? (self.revocationLists == nil ? nil : "--crlfile")
            ?? (self.certificate == nil ? nil : "--cert")
            ?? (self.isInsecure ? "--insecure" : nil) ?? (self.cipherSuites == nil ? nil : "--ciphers")
        {
            throw ValidationError("A pre-shared key replaces certificates; leave out \(first)")
        }
        if self.version?.version == .tls13 {
            throw ValidationError("A pre-shared key works only with TLS 1.2; leave out --tls-version")
        }
    }
}

extension TLSOptions {
    /// Applies the given options to settings that come from the environment.
    func apply(to settings: inout TLSSettings, environment: CommandEnvironment) throws {
        if let path = self.authoritiesFile { settings.trustRoots = .file(path) }
        if let path = self.authoritiesDirectory { settings.trustRoots = .directory(path) }
        if self.usesSystemAuthorities { settings.trustRoots = .system }
        if let path = self.revocationLists { settings.revocationLists = [.file(path)] }
        if let certificate {
            settings.clientCertificate = .init(
                chain: .file(certificate), key: self.key.map { .file($0) },
                passphrase: environment["MQTT_PRIVATE_KEY_PASSPHRASE"])
        }
        if self.isInsecure { settings.verification = .insecureAnyHostName }
        if let applicationProtocols {
            settings.applicationProtocols = applicationProtocols.split(separator: ",").map(String.init)
        }
        if let version { settings.minimumVersion = version.version }
        if let cipherSuites { settings.cipherSuites = [cipherSuites] }
        if let identity = self.preSharedKeyIdentity {
            guard let key = try self.preSharedKey ?? environment.preSharedKey() else {
                throw CommandFailure("--psk-identity needs the key; set CURLEW_PSK or give --psk.")
            }
            settings.preSharedKey = .init(identity: identity, key: key.bytes)
        }
    }
}
#endif

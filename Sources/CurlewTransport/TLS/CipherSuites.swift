import NIOSSL

/// The names of the cipher suites up to TLS 1.2. NIOSSL does not check the list that it gets, and crashes if it is
/// wrong.
package enum CipherSuites {
    /// By their OpenSSL names.
    private static let all: [String: NIOTLSCipher] = [
        "ECDHE-ECDSA-AES128-GCM-SHA256": .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-ECDSA-AES256-GCM-SHA384": .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-RSA-AES128-GCM-SHA256": .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-RSA-AES256-GCM-SHA384": .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-ECDSA-CHACHA20-POLY1305": .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-RSA-CHACHA20-POLY1305": .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-ECDSA-AES128-SHA": .TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
        "ECDHE-ECDSA-AES256-SHA": .TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
        "ECDHE-RSA-AES128-SHA": .TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
        "ECDHE-RSA-AES256-SHA": .TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
        "AES128-GCM-SHA256": .TLS_RSA_WITH_AES_128_GCM_SHA256,
        "AES256-GCM-SHA384": .TLS_RSA_WITH_AES_256_GCM_SHA384,
        "AES128-SHA": .TLS_RSA_WITH_AES_128_CBC_SHA,
        "AES256-SHA": .TLS_RSA_WITH_AES_256_CBC_SHA,
    ]

    /// The names that can be chosen, sorted.
    package static var names: [String] { self.all.keys.sorted() }

    /// The cipher suites in which the client encrypts the secret with the key of the peer's certificate, without
    /// forward secrecy.
    static let ofKeyTransport: [NIOTLSCipher] = [
        .TLS_RSA_WITH_AES_128_GCM_SHA256, .TLS_RSA_WITH_AES_256_GCM_SHA384,
        .TLS_RSA_WITH_AES_128_CBC_SHA, .TLS_RSA_WITH_AES_256_CBC_SHA,
    ]

    static func named(_ names: [String], setting: TLSSetting) throws(TransportError) -> [NIOTLSCipher] {
        var suites: [NIOTLSCipher] = []
        for name in names {
            guard let suite = self.all[name] else {
                throw .invalidConfiguration(
                    "\"\(name)\" is not an available cipher suite (\(setting)); choose from"
                        + " \(self.names.joined(separator: ", ")).")
            }
            suites.append(suite)
        }
        return suites
    }
}

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

    /// The names in a list as OpenSSL writes it, separated by colons, commas or spaces.
    package static func names(in list: String) -> [String] {
        list.split { $0 == ":" || $0 == "," || $0 == " " }.map(String.init)
    }

    static func named(_ names: [String], setting: TLSSetting) throws(TransportError) -> [NIOTLSCipher] {
        var suites: [NIOTLSCipher] = []
        for name in names.flatMap({ Self.names(in: $0) }) {
            guard let suite = self.all[name] else {
                throw .invalidConfiguration("\"\(name)\" (\(setting)) \(Self.objection(to: name) ?? "")")
            }
            suites.append(suite)
        }
        guard !suites.isEmpty else {
            throw .invalidConfiguration(
                "The list of cipher suites (\(setting)) names none; write for example"
                    + " \(CipherExpression.usualNames.joined(separator: ", ")).")
        }
        return suites
    }

    /// Why a name is not that of an available cipher suite, as the end of a sentence that begins with the name; `nil`
    /// if it is one.
    package static func objection(to name: String) -> String? {
        guard self.all[name] == nil else { return nil }
        if ["TLS_AES_", "TLS_CHACHA20_"].contains(where: { name.hasPrefix($0) }) {
            return "is a cipher suite of TLS 1.3, which permits all of its cipher suites; leave it out."
        }
        if let expression = CipherExpression(name) {
            return "is an expression of OpenSSL, which is not supported; write the names of cipher suites, for example"
                + " \(expression.suitableNames(of: self.names).joined(separator: ", "))."
        }
        return "is not an available cipher suite; choose from \(self.names.joined(separator: ", "))."
    }
}

/// An expression that selects cipher suites in OpenSSL, such as `HIGH`, `!aNULL` or `ECDHE+AESGCM`. BoringSSL has its
/// own ones with other meanings, so none is supported; this finds names to write instead.
struct CipherExpression {
    /// Names that suit almost all peers.
    static let usualNames = [
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305",
    ]

    /// What OpenSSL's words mean for the names of the available cipher suites; some mean none of them.
    private static let words: [String: @Sendable (String) -> Bool] = [
        "AES": { $0.contains("AES") }, "AES128": { $0.contains("AES128") }, "AES256": { $0.contains("AES256") },
        "AESGCM": { $0.contains("GCM") }, "CHACHA20": { $0.contains("CHACHA20") },
        "ECDHE": { $0.hasPrefix("ECDHE-") }, "EECDH": { $0.hasPrefix("ECDHE-") },
        "kECDHE": { $0.hasPrefix("ECDHE-") }, "kEECDH": { $0.hasPrefix("ECDHE-") },
        "ECDSA": { $0.contains("ECDSA") }, "aECDSA": { $0.contains("ECDSA") },
        "aRSA": { !$0.contains("ECDSA") }, "RSA": { !$0.hasPrefix("ECDHE-") }, "kRSA": { !$0.hasPrefix("ECDHE-") },
        "SHA256": { $0.hasSuffix("SHA256") }, "SHA384": { $0.hasSuffix("SHA384") },
        "SHA": { $0.hasSuffix("SHA") }, "SHA1": { $0.hasSuffix("SHA") },
    ]

    private static let others: Set<String> = [
        "3DES", "ADH", "AECDH", "AESCCM", "AESCCM8", "ALL", "ARIA", "ARIA128", "ARIA256", "ARIAGCM", "CAMELLIA",
        "CAMELLIA128", "CAMELLIA256", "CBC", "COMPLEMENTOFALL", "COMPLEMENTOFDEFAULT", "DEFAULT", "DES", "DH", "DHE",
        "DSS", "ECDH", "EDH", "EXP", "EXPORT", "FIPS", "GOST", "HIGH", "IDEA", "LOW", "MD5", "MEDIUM", "NULL", "PSK",
        "RC2", "RC4", "SEED", "SRP", "SSLv3", "STRENGTH", "SUITEB128", "SUITEB128ONLY", "SUITEB192", "TLSv1",
        "TLSv1.0", "TLSv1.2", "aDH", "aDSS", "aNULL", "aPSK", "eNULL", "kDHE", "kEDH", "kPSK",
    ]

    /// The words of the expression.
    private let words: [String]

    /// - Parameter term: A part of a list without separators. Returns `nil` if it is the name of one cipher suite.
    init?(_ term: String) {
        let isNegated = term.first == "!" || term.first == "-"
        let start = isNegated || term.first == "+" ? term.dropFirst() : term[...]
        // What follows an @ is a command, and PROFILE= means a file of the system.
        let words = start.prefix { $0 != "@" }.split(separator: "+").map(String.init)
        guard
            start.count < term.count || term.contains("@") || term.contains("+") || term.hasPrefix("PROFILE=")
                || Self.words[term] != nil || Self.others.contains(term)
        else { return nil }
        self.words = isNegated ? [] : words
    }

    /// At most three of the available names, which match the expression if any does.
    func suitableNames(of names: [String]) -> [String] {
        let conditions = self.words.compactMap { Self.words[$0] }
        guard !conditions.isEmpty else { return Self.usualNames }
        let matching = names.filter { name in conditions.allSatisfy { $0(name) } }
        // The usual ones first, then those with forward secrecy.
        let sorted =
            Self.usualNames.filter(matching.contains)
            + (matching.filter { $0.hasPrefix("ECDHE-") } + matching.filter { !$0.hasPrefix("ECDHE-") })
            .filter { !Self.usualNames.contains($0) }
        return sorted.isEmpty ? Self.usualNames : Array(sorted.prefix(3))
    }
}

/// Which web pages may connect to a listener. A browser says which page it connects for, and other programs say
/// nothing.
///
/// A page of another origin could otherwise use the visitor's browser to reach a broker that trusts this machine.
package enum WebSocketOrigins: Hashable, Sendable {
    /// Every page; but pages of this machine only, if the browser connects from this machine.
    case automatic
    /// Every page.
    case any
    /// Pages of these origins, such as `https://example.com:8443`.
    case only(Set<String>)

    /// An origin in the form in which browsers send it (RFC 6454 section 6.2): in lower case, without the usual port.
    /// `nil` if the text is no origin, so that no page could ever match it.
    package static func normalized(_ text: String) -> String? {
        let lowercased = text.lowercased()
        // Of pages without an origin of their own, such as local files.
        if lowercased == "null" { return lowercased }
        guard let colon = lowercased.firstRange(of: "://") else { return nil }
        let scheme = lowercased[..<colon.lowerBound]
        let authority = lowercased[colon.upperBound...]
        guard !scheme.isEmpty, !authority.isEmpty, authority.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            !authority.contains(where: { "/?#@*".contains($0) })
        else { return nil }
        let usual = ["http": ":80", "https": ":443"][String(scheme)]
        return usual.flatMap { lowercased.hasSuffix($0) ? String(lowercased.dropLast($0.count)) : nil } ?? lowercased
    }

    /// Whether a request is permitted.
    ///
    /// - Parameters:
    ///   - origin: The value of its field `Origin`; `nil` if it has none.
    ///   - isLocal: Whether it comes from this machine.
    package func permit(_ origin: String?, isLocal: Bool) -> Bool {
        guard let origin else { return true }
        switch self {
        case .any: return true
        case .automatic: return !isLocal || Self.isOfThisMachine(origin)
        case .only(let origins): return origins.contains(origin.lowercased())
        }
    }

    /// By name and not by address: a page of another site can give its own name the address of this machine.
    private static func isOfThisMachine(_ origin: String) -> Bool {
        let lowercased = origin.lowercased()
        guard let scheme = ["http://", "https://"].first(where: lowercased.hasPrefix) else { return false }
        let authority = lowercased.dropFirst(scheme.count)
        let host = authority.hasPrefix("[") ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
        return host == "localhost" || host.hasSuffix(".localhost") || host == "[::1]"
            || host.hasPrefix("127.") && host.allSatisfy { $0.isNumber || $0 == "." }
    }
}

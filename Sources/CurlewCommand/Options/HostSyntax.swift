#if Tools
import ArgumentParser

/// The syntax of a broker's host, as `-h` takes it.
enum HostSyntax {
    /// Removes the brackets that an IPv6 address has in a URL.
    static func bare(_ host: String) -> String {
        host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    }

    /// Throws if the value of `-h` is not a host.
    static func check(_ host: String) throws {
        if let problem = Self.problem(with: host) { throw ValidationError("-h \(problem)") }
    }

    /// Why the text is not a host, as the rest of a sentence that begins with the option's name; `nil` if it is one.
    static func problem(with host: String) -> String? {
        if host.isEmpty { return "is empty; it needs a host name or an address" }
        if host.contains("://") { return "takes only a host; give the URL without -h" }
        if let (name, port) = Self.split(host) {
            return "takes only a host; give the port with -p, as in -h \(name) -p \(port)"
        }
        guard host.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && !"/?#@[]".utf8.contains($0) }) else {
            return "takes a host name or an address; '\(host)' is neither"
        }
        return nil
    }

    /// Splits `host:port`; `nil` if there is no port. An IPv6 address without brackets has several colons.
    private static func split(_ text: String) -> (host: Substring, port: Substring)? {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let (host, port) = (text[..<colon], text[text.index(after: colon)...])
        guard !host.isEmpty, !port.isEmpty, port.allSatisfy(\.isWholeNumber) else { return nil }
        if host.hasPrefix("["), host.hasSuffix("]") { return (host.dropFirst().dropLast(), port) }
        return host.contains(":") ? nil : (host, port)
    }
}
#endif

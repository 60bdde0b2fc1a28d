#if Tools
import ArgumentParser

/// A broker's host, as `-h` takes it.
enum HostSyntax {
    /// Takes away the brackets that an IPv6 address needs in a URL.
    static func bare(_ host: String) -> String {
        host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    }

    /// Throws what is wrong with a host, for the options.
    static func check(_ host: String) throws {
        if let problem = Self.problem(with: host) { throw ValidationError("-h \(problem)") }
    }

    /// What is wrong with a host, in words that follow the name of an option; `nil` if nothing is.
    static func problem(with host: String) -> String? {
        if host.isEmpty { return "is empty; it needs a host name or an address" }
        if host.contains("://") { return "takes a host alone; give the URL without -h" }
        if let (name, port) = Self.split(host) {
            return "takes a host alone; give the port with -p, as in -h \(name) -p \(port)"
        }
        guard host.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && !"/?#@[]".utf8.contains($0) }) else {
            return "takes a host name or an address, and '\(host)' is neither"
        }
        return nil
    }

    /// A host with a port behind it, taken apart. An IPv6 address without brackets has several colons.
    private static func split(_ text: String) -> (host: Substring, port: Substring)? {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let (host, port) = (text[..<colon], text[text.index(after: colon)...])
        guard !host.isEmpty, !port.isEmpty, port.allSatisfy(\.isWholeNumber) else { return nil }
        if host.hasPrefix("["), host.hasSuffix("]") { return (host.dropFirst().dropLast(), port) }
        return host.contains(":") ? nil : (host, port)
    }
}
#endif

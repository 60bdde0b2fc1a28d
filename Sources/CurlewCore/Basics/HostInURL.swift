/// `host` or `host:port` as in a URL, where an IPv6 address has brackets.
///
/// - Parameters:
///   - host: A host name or an IP address without brackets.
///   - port: Default: none.
package func hostInURL(_ host: String, port: Int? = nil) -> String {
    let host = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
    return port.map { "\(host):\($0)" } ?? host
}

import CurlewCore
import NIOCore

/// The parts of an MQTT URL, percent-decoded.
///
/// Rejects everything that is ambiguous, because the client then connects to the host in the URL and sends it the
/// password in the URL. No error quotes a part that could belong to a password: an unencoded `/` in a password moves
/// the rest of it into the port, the topic or an item.
struct URLParts {
    var server: MQTTConfiguration.Server
    var username: String?
    var password: MQTTPassword?
    var topic: String?
    var items: [(name: String, value: String)] = []

    init(_ string: String) throws(MQTTError) {
        guard string.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
            throw Self.error("The URL has a space or control character in it; percent-encode it, as in %20")
        }
        guard let colon = string.firstRange(of: "://") else {
            throw Self.error("The URL must begin with \(Self.schemes)")
        }
        let scheme = try Self.scheme(string[..<colon.lowerBound])
        let rest = string[colon.upperBound...]
        let authority = rest.prefix { !"/?#".contains($0) }
        var tail = rest[authority.endIndex...]
        guard !tail.contains("@") else {
            throw Self.error(
                "The URL has an '@' after the server; percent-encode it as %40, and in a user name or password also '/' as %2F, "
                    + "'?' as %3F and '#' as %23")
        }
        guard !tail.hasPrefix("#") else {
            throw Self.error(
                "The URL has a '#' where a '/' and the topic should follow; a URL for MQTT has no fragment")
        }
        self.server = .init(host: "", scheme: scheme)
        try self.readAuthority(authority)

        var query: Substring?
        if let question = tail.firstIndex(of: "?") {
            query = tail[tail.index(after: question)...]
            tail = tail[..<question]
        }
        switch scheme {
        case .ws, .wss: try self.readWebSocket(tail, query)
        case .unix:
            guard !tail.isEmpty else {
                throw Self.error(
                    "The URL names no socket; write its path after the '//', as in mqtt+unix:///run/curlew.sock")
            }
            self.server.path = try Self.decoded(tail, "path")
            if let query { try self.readQuery(query) }
        default:
            if tail.count > 1 { self.topic = try Self.decoded(tail.dropFirst(), "topic") }
            if let query { try self.readQuery(query) }
        }
    }

    /// Reads the path and query of a WebSocket. The items that the client knows are for the client, and all others
    /// belong to the request, exactly as they are: a signed URL must not change.
    private mutating func readWebSocket(_ path: Substring, _ query: Substring?) throws(MQTTError) {
        guard !path.contains("#"), !(query ?? "").contains("#") else {
            throw Self.error("The URL of a WebSocket has a '#' in it; percent-encode it as %23")
        }
        // It is sent as it is, but must be well-formed.
        _ = try Self.decodedBytes(path, "path")
        _ = try Self.decodedBytes(query ?? "", "query")
        if !path.isEmpty { self.server.path = String(path) }
        guard let query else { return }
        var others: [Substring] = []
        for item in query.split(separator: "&", omittingEmptySubsequences: false) {
            let name = item.prefix { $0 != "=" }
            if ConfigurationOption.all.contains(where: { $0.item.map { $0 == name } ?? false }) {
                try self.readQuery(item)
            } else {
                others.append(item)
            }
        }
        if !others.isEmpty { self.server.query = others.joined(separator: "&") }
    }

    /// Adds user, password and items from the URL of another broker of the same client.
    mutating func add(_ other: URLParts) throws(MQTTError) {
        let sameUser = zip(self.username?.utf8, other.username?.utf8).map { $0.elementsEqual($1) } ?? true
        let samePassword = zip(self.password, other.password).map { $0 == $1 } ?? true
        guard sameUser, samePassword else {
            throw Self.error("The URLs differ in user name or password; all servers get the same, so give it once")
        }
        self.username = self.username ?? other.username
        self.password = self.password ?? other.password
        self.items += other.items.filter { item in !self.items.contains { $0 == item } }
    }

    /// Both values, if both are present.
    private func zip<First, Second>(_ first: First?, _ second: Second?) -> (First, Second)? {
        guard let first, let second else { return nil }
        return (first, second)
    }

    /// Applies user, password and items to a draft that already has the server.
    func apply(to draft: inout ConfigurationDraft) throws(MQTTError) {
        if self.username != nil || self.password != nil {
            draft.configuration.credentials = .password(username: self.username, password: self.password)
        }
        for item in self.items {
            guard let option = ConfigurationOption.all.first(where: { $0.item == item.name }) else {
                let known = ConfigurationOption.all.compactMap(\.item).joined(separator: ", ")
                throw Self.error("The URL has the unknown item '\(item.name)'; known items: \(known)")
            }
            let origin = "The item '\(item.name)' of the URL"
            try draft.apply(option, OptionValue(text: item.value, origin: origin, code: .invalidURL))
        }
    }
}

// MARK: - Part by part

extension URLParts {
    private static func error(_ message: String) -> MQTTError { MQTTError(.invalidURL, message + ".") }

    private static func scheme(_ text: Substring) throws(MQTTError) -> MQTTConfiguration.Scheme {
        switch text.lowercased() {
        case "mqtt": return .mqtt
        case "mqtts": return .mqtts
        case "ws": return .ws
        case "wss": return .wss
        case "mqtt+unix": return .unix
        case "http": throw Self.error("The scheme http is not an MQTT scheme; use ws:// for WebSocket")
        case "https": throw Self.error("The scheme https is not an MQTT scheme; use wss:// for WebSocket")
        case "unix": throw Self.error("The scheme unix is not an MQTT scheme; use mqtt+unix://")
        case "tcp": throw Self.error("The scheme tcp is not an MQTT scheme; use mqtt://")
        case "ssl", "tls": throw Self.error("The scheme \(text) is not an MQTT scheme; use mqtts://")
        default: throw Self.error("The URL must begin with \(Self.schemes)")
        }
    }

    private static let schemes = "mqtt:// or mqtts:// (TLS), ws:// or wss:// (WebSocket), or mqtt+unix://"

    private mutating func readAuthority(_ authority: Substring) throws(MQTTError) {
        let parts = authority.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count <= 2 else {
            throw Self.error("The user name or password has an '@' in it; percent-encode it as %40")
        }
        if parts.count == 2 { try self.readUser(parts[0]) }
        let host = parts[parts.count - 1]
        if self.server.scheme != .unix {
            try self.readHost(host)
        } else if !host.isEmpty {
            throw Self.error(
                "The URL of a Unix domain socket must not name a host; write three slashes, as in mqtt+unix:///run/curlew.sock"
            )
        }
    }

    private mutating func readUser(_ user: Substring) throws(MQTTError) {
        let parts = user.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        self.username = try Self.decoded(parts[0], "user name")
        guard parts.count == 2 else { return }
        guard !parts[1].contains(":") else {
            throw Self.error("The password has a ':' in it; percent-encode it as %3A")
        }
        // Only the password may contain bytes that are not UTF-8.
        self.password = .init(bytes: ByteBuffer(bytes: try Self.decodedBytes(parts[1], "password")))
    }

    private mutating func readHost(_ text: Substring) throws(MQTTError) {
        var port: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else {
                throw Self.error("The IPv6 address in the URL lacks its closing bracket ']'")
            }
            let address = try Self.decoded(text[text.index(after: text.startIndex)..<end], "IPv6 address")
            // `SocketAddress` does not accept a zone, as in fe80::1%eth0, but the resolver does.
            let withoutZone = String(address.prefix { $0 != "%" })
            guard withoutZone.contains(":"), (try? SocketAddress(ipAddress: withoutZone, port: 0)) != nil else {
                throw Self.error("The URL must have an IPv6 address inside the brackets, as in mqtt://[::1]:1883")
            }
            self.server.host = address
            let after = text[text.index(after: end)...]
            guard after.isEmpty || after.hasPrefix(":") else {
                throw Self.error("The IPv6 address in the URL may only be followed by ':' and the port")
            }
            port = after.isEmpty ? nil : after.dropFirst()
        } else {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count <= 2 else {
                throw Self.error(
                    "The host in the URL has more than one ':'; put an IPv6 address in brackets, as in mqtt://[::1]")
            }
            let host = parts[0]
            guard !host.isEmpty else { throw Self.error("The URL names no host; write it after the '//'") }
            guard host.utf8.allSatisfy({ Self.hostCharacters.contains($0) }) else {
                throw Self.error("The host in the URL may contain only letters, digits, '-', '_' and '.'")
            }
            self.server.host = String(host)
            port = parts.count == 2 ? parts[1] : nil
        }
        if let port { self.server.port = try Self.port(port) }
    }

    private static let hostCharacters = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.".utf8)

    private static func port(_ text: Substring) throws(MQTTError) -> Int {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(text), port > 0 else {
            throw Self.error("The port in the URL must be a number from 1 to 65535")
        }
        return Int(port)
    }

    private mutating func readQuery(_ query: Substring) throws(MQTTError) {
        for item in query.split(separator: "&") {
            guard let equals = item.firstIndex(of: "=") else {
                throw Self.error("An item after the '?' of the URL has no '='; write it as in keep-alive=30")
            }
            let name = try Self.decoded(item[..<equals], "name of an item")
            let text = item[item.index(after: equals)...]
            // A file name need not be UTF-8.
            let isPath = ConfigurationOption.all.contains { $0.item == name && $0.isPath }
            self.items.append(
                (
                    name,
                    isPath
                        ? String(keeping: try Self.decodedBytes(text, "value of an item"))
                        : try Self.decoded(text, "value of an item")
                ))
        }
    }

    private static func decoded(_ text: Substring, _ part: String) throws(MQTTError) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
        guard let decoded = String(validating: try Self.decodedBytes(text, part), as: UTF8.self) else {
            throw Self.error("The \(part) in the URL is not UTF-8 after percent-decoding")
        }
        return decoded
    }

    private static func decodedBytes(_ text: Substring, _ part: String) throws(MQTTError) -> [UInt8] {
        guard let bytes = String(text).percentDecodedBytes else {
            throw Self.error("The \(part) in the URL has a '%' without two hexadecimal digits; write %25 for a '%'")
        }
        return bytes
    }
}

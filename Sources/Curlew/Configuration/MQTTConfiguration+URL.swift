extension MQTTConfiguration {
    /// Reads a configuration from a URL: `scheme://[user[:password]@]host[:port][?items]`.
    ///
    /// ```
    /// mqtt://localhost
    /// mqtts://kitchen:secret@broker.example.com?client-id=kitchen&clean-start=false
    /// mqtt://[::1]:1884?version=3.1.1
    /// ```
    ///
    /// The scheme is `mqtt` (port 1883) or `mqtts` (TLS, port 8883). User name, password and items are percent-decoded; the
    /// characters `/ ? # @ % :` in a user name or password must be percent-encoded, as must `@` everywhere else.
    ///
    /// | item                  | value                                                                              |
    /// |-----------------------|------------------------------------------------------------------------------------|
    /// | `version`             | `automatic`, `5`, `5.0`, `3.1.1` or `3.1`                                          |
    /// | `client-id`           | the client identifier                                                              |
    /// | `client-id-prefix`    | what a generated client identifier begins with                                     |
    /// | `keep-alive`          | a time; `0` turns it off                                                           |
    /// | `connect-timeout`     | a time                                                                             |
    /// | `clean-start`         | `true` or `false`                                                                  |
    /// | `session-expiry`      | a time, or `never`                                                                 |
    /// | `receive-maximum`     | how many messages                                                                  |
    /// | `maximum-packet-size` | how many bytes                                                                     |
    /// | `reconnect`           | `true` or `false`                                                                  |
    /// | `ca`                  | the file of the authorities to trust, PEM or DER                                   |
    /// | `ca-directory`        | a directory of such files                                                          |
    /// | `cert`, `key`         | the files of the client's certificate and private key                              |
    /// | `server-name`         | the host name to expect in the server's certificate                                |
    /// | `alpn`                | application protocols, separated by commas                                         |
    /// | `minimum-tls`         | `1.0`, `1.1`, `1.2` or `1.3`                                                       |
    /// | `insecure`            | `any-host-name` or `any-certificate`: what is *not* verified any more              |
    ///
    /// A time is a number of seconds, or a number with the unit `ms`, `s`, `m`, `h` or `d`.
    ///
    /// - Parameter url: The URL. A topic in it is an error here; ``MQTTURL`` takes one.
    /// - Throws: ``MQTTError`` with the code `.invalidURL`, or what ``validate()`` throws. It never quotes a password.
    public init(url: String) throws(MQTTError) {
        let url = try MQTTURL(url)
        guard url.topic == nil else {
            throw MQTTError(
                .invalidURL,
                "The URL has a topic after the server; leave it out, or read the URL with `MQTTURL`, which has a place for it."
            )
        }
        self = url.configuration
        try self.validate()
    }
}

/// A URL that names a server and, after it, a topic: `mqtts://broker.example.com/home/+/temperature`.
///
/// The topic is all that stands between the first `/` after the server and the first `?`, percent-decoded. The wildcards `+` and
/// `#` may be written as they are. For the rest see ``MQTTConfiguration/init(url:)``.
public struct MQTTURL: Sendable, CustomStringConvertible {
    /// What the URL says about the connection; not yet validated.
    public let configuration: MQTTConfiguration
    /// The topic name or topic filter; not yet validated. `nil` where there is none.
    public let topic: String?

    /// Reads a URL.
    ///
    /// - Throws: ``MQTTError`` with the code `.invalidURL`. It never quotes a password.
    public init(_ string: String) throws(MQTTError) {
        let parts = try URLParts(string)
        var draft = ConfigurationDraft(MQTTConfiguration(server: parts.server))
        try parts.apply(to: &draft)
        self.configuration = try draft.finish(code: .invalidURL)
        self.topic = parts.topic
    }

    /// Server and topic, without user name, password and items.
    public var description: String {
        let server = self.configuration.servers.first?.description ?? ""
        return self.topic.map { "\(server)/\($0)" } ?? server
    }
}

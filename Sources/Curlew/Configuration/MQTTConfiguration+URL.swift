extension MQTTConfiguration {
    /// Reads a configuration from a URL: `scheme://[user[:password]@]host[:port][/path][?items]`.
    ///
    /// ```
    /// mqtt://localhost
    /// mqtts://kitchen:secret@broker.example.com?client-id=kitchen&clean-start=false
    /// mqtt://[::1]:1884?version=3.1.1
    /// wss://broker.example.com/mqtt?token=abc&keep-alive=30
    /// mqtt+unix:///run/curlew.sock
    /// ```
    ///
    /// | scheme      | connection | default port |
    /// |-------------|------------|--------------|
    /// | `mqtt`      | TCP        | 1883 |
    /// | `mqtts`     | TLS        | 8883 |
    /// | `ws`, `wss` | WebSocket, with TLS in `wss`; the default path is `/mqtt` | 80, 443 |
    /// | `mqtt+unix` | the Unix domain socket at the path | – |
    ///
    /// In a URL with `ws` or `wss`, items whose names are in the table below configure the client; all others are part
    /// of the request and are sent unchanged. To send an item that has one of these names, percent-encode a character
    /// of the name, as in `%6Bey=…` for `key`. User name and password are always those of MQTT, not of HTTP.
    ///
    /// User name, password and items are percent-decoded.
    /// Percent-encode the characters `/ ? # @ % :` in a user name or password, and `@` everywhere else.
    ///
    /// | item                  | value |
    /// |-----------------------|-------|
    /// | `version`             | `automatic`, `5`, `5.0`, `3.1.1` or `3.1` |
    /// | `client-id`           | the client identifier |
    /// | `client-id-prefix`    | the prefix of a generated client identifier |
    /// | `keep-alive`          | a time; `0` disables it |
    /// | `connect-timeout`     | a time |
    /// | `clean-start`         | `true` or `false` |
    /// | `session-expiry`      | a time, or `never` |
    /// | `receive-maximum`     | a number of messages |
    /// | `maximum-in-flight`   | a number of messages |
    /// | `maximum-packet-size` | a number of bytes |
    /// | `proxy`               | the URL of a proxy, percent-encoded: `http://…`, `socks5://…` or `socks5h://…`; `none` for none |
    /// | `reconnect`           | `true` or `false` |
    /// | `reconnect-attempts`  | the maximum number of consecutive attempts |
    /// | `reconnect-initial-delay`, `reconnect-maximum-delay` | a time: the bound of the first delay, and its maximum |
    /// | `acknowledgement-timeout` | a time: how long calls without a timeout wait for the broker |
    /// | `default-qos`, `default-retain` | `0`, `1` or `2`; `true` or `false`: for messages published without them |
    /// | `ca`                  | a file of the certificate authorities to trust, PEM or DER |
    /// | `ca-directory`        | a directory of such files |
    /// | `crl`                 | a file of certificate revocation lists, PEM or DER |
    /// | `cert`, `key`         | the files of the client certificate and its private key; or `cert` alone, a PKCS#12 bundle |
    /// | `server-name`         | the host name to expect in the broker's certificate |
    /// | `alpn`                | application protocols, separated by commas |
    /// | `minimum-tls`         | `1.0`, `1.1`, `1.2` or `1.3` |
    /// | `insecure`            | `any-host-name` or `any-certificate`: what *not* to verify |
    ///
    /// A time is a number of seconds, or a number with the unit `ms`, `s`, `m`, `h` or `d`.
    ///
    /// - Parameter url: The URL. It must not contain a topic; ``MQTTURL`` accepts one.
    /// - Throws: ``MQTTError`` with the code `.invalidURL`, or what ``validate()`` throws. The message never quotes a
    ///   password.
    public init(url: String) throws(MQTTError) {
        let url = try MQTTURL(url)
        guard url.topic == nil else {
            throw MQTTError(
                .invalidURL,
                "The URL has a topic after the host; leave it out, or use `MQTTURL`, which reads it as well."
            )
        }
        self = url.configuration
        try self.validate()
    }
}

/// A URL that names a broker and a topic: `mqtts://broker.example.com/home/+/temperature`.
///
/// In a URL with `mqtt` or `mqtts`, the topic is everything between the first `/` after the host and the first `?`,
/// percent-decoded. The wildcards `+` and `#` need no percent-encoding. Other URLs have no topic: their path belongs to
/// the WebSocket or the Unix domain socket. For the other parts see ``MQTTConfiguration/init(url:)``.
public struct MQTTURL: Sendable, CustomStringConvertible {
    /// The configuration from the rest of the URL; not validated.
    public let configuration: MQTTConfiguration
    /// The topic name or topic filter, not validated; `nil` if there is none.
    public let topic: String?

    /// Parses a URL.
    ///
    /// - Throws: ``MQTTError`` with the code `.invalidURL`. The message never quotes a password.
    public init(_ string: String) throws(MQTTError) {
        let parts = try URLParts(string)
        var draft = ConfigurationDraft(MQTTConfiguration(server: parts.server))
        try parts.apply(to: &draft)
        self.configuration = try draft.finish(code: .invalidURL)
        self.topic = parts.topic
    }

    /// The broker and the topic, without user name, password and items.
    public var description: String {
        let server = self.configuration.servers.first?.description ?? ""
        return self.topic.map { "\(server)/\($0)" } ?? server
    }
}

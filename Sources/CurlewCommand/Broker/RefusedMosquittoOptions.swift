#if Tools
/// The options of mosquitto 2.0 that Curlew does not honour, and why.
enum RefusedMosquittoOptions {
    /// Why an option of that name is refused, in one sentence; `nil` where mosquitto knows none.
    static func reason(for name: String) -> String? {
        if let reason = self.reasons[name] { return reason }
        if name.hasPrefix("bridge_") { return self.bridges }
        if name.hasPrefix("auth_opt_") || name.hasPrefix("plugin_opt_") { return self.plugins }
        return nil
    }

    private static let bridges = "there are no bridges to other brokers; remove all that describes one."
    private static let plugins =
        "mosquitto's plugins cannot be loaded; a program of your own that embeds the broker can decide by its hooks."
    private static let storage = "sessions and retained messages are kept in memory alone; remove the line."
    private static let webSockets = "MQTT over WebSocket is not supported yet; remove the line."
    private static let engines = "OpenSSL engines are not supported; give the key as a PEM file with keyfile."
    private static let stamps = "each line of the log begins with the time in ISO 8601; remove the line."

    static let reasons: [String: String] = {
        var reasons = [
            "allow_duplicate_messages":
                "what a client gets whose subscriptions overlap is not a matter of choice; remove the line.",
            "bind_interface":
                "a listener is bound to an address, not to a device; give the address behind the port.",
            "ciphers_tls1.3": "the cipher suites of TLS 1.3 are not a matter of choice; remove the line.",
            "clientid_prefixes": "identifiers are not judged by their beginning; use password_file and acl_file.",
            "connection_messages":
                "connections are logged as information; leave that out of log_type, and remove the line.",
            "crlfile": "lists of revoked certificates are not supported; give short-lived certificates.",
            "dhparamfile": "keys are agreed on by elliptic curves, which need no such file; remove the line.",
            "log_facility": "there is no syslog; log to stderr, which systemd collects.",
            "log_timestamp": Self.stamps, "log_timestamp_format": Self.stamps,
            "mount_point":
                "topics cannot be put below another one for a listener; use acl_file to keep clients apart.",
            "pid_file": "the broker stays in the foreground, where systemd knows its number; remove the line.",
            "retry_interval":
                "messages are sent again when a client connects anew, as the standard has it; remove the line.",
            "user":
                "the broker does not change its user; start it as the one that it shall be, with User= of systemd.",
        ]
        for name in [
            "autosave_interval", "autosave_on_changes", "persistence_file", "persistence_location",
            "retained_persistence",
        ] { reasons[name] = Self.storage }
        for name in ["auth_plugin", "auth_plugin_deny_special_chars", "plugin"] { reasons[name] = Self.plugins }
        for name in ["http_dir", "websockets_headers_size", "websockets_log_level"] {
            reasons[name] = Self.webSockets
        }
        for name in ["tls_engine", "tls_engine_kpass_sha1", "tls_keyform"] { reasons[name] = Self.engines }
        for name in [
            "address", "addresses", "cleansession", "clientid", "connection", "idle_timeout", "keepalive_interval",
            "local_cleansession", "local_clientid", "local_password", "local_username", "notification_topic",
            "notifications", "notifications_local_only", "password", "remote_clientid", "remote_password",
            "remote_username", "restart_timeout", "round_robin", "start_type", "threshold", "topic", "try_private",
            "username",
        ] { reasons[name] = Self.bridges }
        return reasons
    }()
}
#endif

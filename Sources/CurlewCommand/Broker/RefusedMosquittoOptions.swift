#if Tools
/// The options of mosquitto 2.0 that Curlew does not support, and why.
enum RefusedMosquittoOptions {
    /// Why an option is refused, in one sentence; `nil` if mosquitto does not have it.
    static func reason(for name: String) -> String? {
        if let reason = self.reasons[name] { return reason }
        if name.hasPrefix("bridge_") { return self.bridges }
        if name.hasPrefix("auth_opt_") || name.hasPrefix("plugin_opt_") { return self.plugins }
        return nil
    }

    private static let bridges = "outgoing bridges are not supported; remove all their lines."
    private static let plugins =
        "mosquitto's plugins cannot be loaded; embed the broker in a program and use its hooks instead."
    private static let storage = "sessions and retained messages are kept only in memory; remove the line."
    private static let engines = "OpenSSL engines are not supported; set keyfile to a PEM file."
    private static let stamps = "each log line begins with the time in ISO 8601 format; remove the line."

    static let reasons: [String: String] = {
        var reasons = [
            "allow_duplicate_messages":
                "delivery for overlapping subscriptions cannot be configured; remove the line.",
            "bind_interface":
                "a listener is bound to an address, not to an interface; give the address after the port.",
            "ciphers_tls1.3": "the cipher suites of TLS 1.3 cannot be configured; remove the line.",
            "clientid_prefixes": "client IDs cannot be restricted by prefix; use password_file and acl_file.",
            "connection_messages":
                "connections are logged at level information; leave that out of log_type, and remove the line.",
            "dhparamfile": "key exchange uses elliptic curves, which need no such file; remove the line.",
            "log_facility": "syslog is not supported; log to stderr, which systemd collects.",
            "log_timestamp": Self.stamps, "log_timestamp_format": Self.stamps,
            "mount_point":
                "topic prefixes for listeners are not supported; use acl_file to separate clients.",
            "pid_file": "the broker stays in the foreground, where systemd knows its process ID; remove the line.",
            "retry_interval":
                "messages are sent again when a client reconnects, as the standard requires; remove the line.",
            "user":
                "the broker does not change its user; start it as the right user, for example with User= in systemd.",
        ]
        for name in [
            "autosave_interval", "autosave_on_changes", "persistence_file", "persistence_location",
            "retained_persistence",
        ] { reasons[name] = Self.storage }
        for name in ["auth_plugin", "auth_plugin_deny_special_chars", "plugin"] { reasons[name] = Self.plugins }
        reasons["websockets_log_level"] = "WebSockets are logged like other connections; remove the line."
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

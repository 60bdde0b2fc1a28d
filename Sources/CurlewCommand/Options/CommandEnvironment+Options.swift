#if Tools
import Curlew

extension CommandEnvironment {
    /// Removes variables that options override, and adds the options that name the broker together with variables.
    mutating func yield(to options: ConnectionOptions, _ tls: TLSOptions) {
        if !options.urls.isEmpty { self.remove("MQTT_URL", "MQTT_HOST", "MQTT_PORT", "MQTT_TLS") }
        if let host = options.hosts.first {
            // Port and TLS belong to the host they were set with.
            if self["MQTT_HOST"] != nil { self.remove("MQTT_PORT", "MQTT_TLS") }
            self.remove("MQTT_URL")
            self.set("MQTT_HOST", host, by: "-h")
        }
        if options.urls.isEmpty, self["MQTT_URL"] == nil {
            if let port = options.ports.first { self.set("MQTT_PORT", String(port), by: "-p") }
            if let option = tls.first { self.set("MQTT_TLS", "true", by: option) }
        }
        if options.password != nil { self.remove("MQTT_PASSWORD", "MQTT_PASSWORD_FILE") }
        if let file = options.passwordFile {
            self.remove("MQTT_PASSWORD")
            self.set("MQTT_PASSWORD_FILE", file, by: "--password-file")
        }
        if options.identifier != nil || options.identifierPrefix != nil {
            self.remove("MQTT_CLIENT_ID", "MQTT_CLIENT_ID_PREFIX")
        }
        if tls.authoritiesFile != nil || tls.authoritiesDirectory != nil || tls.usesSystemAuthorities {
            self.remove("MQTT_CA", "MQTT_CA_FILE", "MQTT_CA_DIRECTORY")
        }
        if tls.revocationLists != nil { self.remove("MQTT_CRL_FILE") }
        if tls.certificate != nil {
            self.remove(
                "MQTT_CERTIFICATE", "MQTT_CERTIFICATE_FILE", "MQTT_PRIVATE_KEY", "MQTT_PRIVATE_KEY_FILE",
                "MQTT_PRIVATE_KEY_PASSPHRASE")
        }
    }
}
#endif

import CurlewTransport

extension MQTTBrokerConfiguration.TLS {
    /// The settings for the transport.
    var settings: TLSServerSettings {
        var settings = TLSServerSettings(certificate: self.certificate)
        settings.clientTrustRoots = self.clientTrustRoots
        settings.chainAuthorities = self.chainAuthorities
        settings.requiresClientCertificate = self.requiresClientCertificate
        settings.preSharedKeys = self.preSharedKeys
        settings.preSharedKeySource = self.preSharedKeySource
        settings.preSharedKeyHint = self.preSharedKeyHint
        settings.cipherSuites = self.cipherSuites
        settings.minimumVersion = self.minimumVersion
        return settings
    }
}

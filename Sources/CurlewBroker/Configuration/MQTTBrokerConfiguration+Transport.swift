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

extension MQTTBrokerConfiguration.WebSocket {
    /// The settings for the transport.
    ///
    /// - Parameter maximumPacketSize: That of the broker.
    func settings(maximumPacketSize: UInt32) -> WebSocketServerSettings {
        var settings = WebSocketServerSettings()
        settings.paths = self.paths
        settings.origins = self.origins.policy
        settings.maximumHeaderSize = self.maximumHeaderSize
        settings.maximumFrameSize = max(Int(maximumPacketSize), settings.maximumFrameSize)
        return settings
    }
}

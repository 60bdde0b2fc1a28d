import CurlewTransport

extension MQTTBrokerConfiguration.TLS {
    /// The settings for the transport.
    var settings: TLSServerSettings {
        var settings = TLSServerSettings(certificate: self.certificate)
        settings.clientTrustRoots = self.clientTrustRoots
        settings.revocationLists = self.revocationLists
        settings.chainAuthorities = self.chainAuthorities
        settings.requiresClientCertificate = self.requiresClientCertificate
        settings.preSharedKeys = self.preSharedKeys
        settings.preSharedKeySource = self.preSharedKeySource
        settings.preSharedKeyHint = self.preSharedKeyHint
        settings.cipherSuites = self.cipherSuites
        settings.applicationProtocols = self.applicationProtocols
        settings.minimumVersion = self.minimumVersion
        return settings
    }
}

extension MQTTBrokerConfiguration.Listener {
    /// The proxies in front of the listener.
    var proxies: TrustedProxies {
        get throws(TransportError) {
            var ranges: [AddressRange] = []
            for text in self.trustedProxies {
                guard let range = AddressRange(text) else {
                    throw TransportError(
                        .invalidConfiguration,
                        "The trusted proxy '\(text)' is not an IP address or a range such as 10.0.0.0/8.")
                }
                ranges.append(range)
            }
            guard !self.usesProxyProtocol || !ranges.isEmpty else {
                throw TransportError(
                    .invalidConfiguration,
                    "The PROXY protocol needs the addresses of the proxies that may use it; set trustedProxies.")
            }
            return TrustedProxies(ranges: ranges, usesProxyProtocol: self.usesProxyProtocol)
        }
    }
}

extension MQTTBrokerConfiguration.WebSocket {
    /// The settings for the transport.
    ///
    /// - Parameter maximumPacketSize: That of the broker.
    func settings(maximumPacketSize: UInt32) throws(TransportError) -> WebSocketServerSettings {
        if case .only(let origins) = self.origins.policy {
            for origin in origins where WebSocketOrigins.normalized(origin) != origin {
                throw TransportError(
                    .invalidConfiguration,
                    "'\(origin.printable)' is not the origin of a page; write scheme, host and port alone, as in "
                        + "https://example.com:8443.")
            }
        }
        var settings = WebSocketServerSettings()
        settings.paths = self.paths
        settings.origins = self.origins.policy
        settings.folder = if let path = self.staticFiles { try StaticFolder(path) } else { nil }
        settings.refusal = self.refusal
        settings.maximumHeaderSize = self.maximumHeaderSize
        settings.maximumFrameSize = max(Int(maximumPacketSize), settings.maximumFrameSize)
        return settings
    }
}

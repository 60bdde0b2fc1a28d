public import CurlewTransport

// Presets for hosted brokers. Each sets what the service requires and what its documentation states about limits; all
// other settings remain at their defaults and can be changed.
extension MQTTConfiguration {
    /// A client of the MQTT broker of an Azure Event Grid namespace, with a client certificate: TLS on port 8883.
    ///
    /// Checks what Microsoft documents
    /// ([features](https://learn.microsoft.com/azure/event-grid/mqtt-support),
    /// [limits](https://learn.microsoft.com/azure/event-grid/quotas-limits)): no QoS 2, payloads up to 512 KiB, topics of
    /// up to 256 bytes and 8 segments, keep alive up to 1,160 seconds.
    ///
    /// - Parameters:
    ///   - host: The MQTT host name of the namespace, such as `example.westeurope-1.ts.eventgrid.azure.net`.
    ///   - clientIdentifier: The session name, unique in the namespace.
    ///   - authenticationName: The authentication name of the client, which is sent as the user name. Default: the
    ///     client identifier.
    ///   - certificate: The client's certificate and key.
    /// - Returns: A configuration, whose `tls` and other settings may be changed.
    public static func azureEventGrid(
        host: String, clientIdentifier: String, authenticationName: String? = nil, certificate: TLSSettings.Identity
    ) -> Self {
        var configuration = Self(server: .mqtts(host))
        configuration.clientIdentifier = .given(clientIdentifier)
        configuration.credentials = .password(username: authenticationName ?? clientIdentifier, password: nil)
        configuration.tls.clientCertificate = certificate
        var limits = ServiceLimits()
        limits.serviceName = "Azure Event Grid"
        limits.maximumQoS = .atLeastOnce
        limits.maximumPayloadSize = 512 << 10
        limits.maximumTopicLength = 256
        limits.maximumTopicSlashes = 7
        limits.keepAlive = .zero ... .seconds(1160)
        configuration.serviceLimits = limits
        return configuration
    }

    /// A client of HiveMQ Cloud: TLS on port 8883, with user name and password. For WebSocket, replace the server with
    /// `.wss(host, port: 8884)`.
    ///
    /// - Parameters:
    ///   - host: The host name of the cluster, such as `0123abcd.s1.eu.hivemq.cloud`.
    ///   - username: The user name, as created in HiveMQ's console.
    ///   - password: The password.
    public static func hiveMQCloud(host: String, username: String, password: MQTTPassword) -> Self {
        var configuration = Self(server: .mqtts(host))
        configuration.credentials = .password(username: username, password: password)
        return configuration
    }

    /// A client of EMQX Cloud: TLS on port 8883, with user name and password. For WebSocket, replace the server with
    /// `.wss(host, port: 8084)`.
    ///
    /// - Parameters:
    ///   - host: The host name of the deployment, such as `abc.ala.eu-central-1.emqxsl.com`.
    ///   - username: The user name, as created in EMQX's console.
    ///   - password: The password.
    ///   - trustRoots: The authorities to trust, for example the file that EMQX's console offers. Default: those of the
    ///     operating system.
    public static func emqxCloud(
        host: String, username: String, password: MQTTPassword, trustRoots: TLSSettings.TrustRoots = .system
    ) -> Self {
        var configuration = Self(server: .mqtts(host))
        configuration.credentials = .password(username: username, password: password)
        configuration.tls.trustRoots = trustRoots
        return configuration
    }

    /// A device of ThingsBoard, with its access token: TLS on port 8883. Telemetry is JSON on the topic
    /// `v1/devices/me/telemetry`.
    ///
    /// Checks what ThingsBoard [documents](https://thingsboard.io/docs/reference/mqtt-api/): no QoS 2.
    ///
    /// - Parameters:
    ///   - host: The host name of the server. Default: that of ThingsBoard Cloud.
    ///   - accessToken: The access token of the device, which is sent as the user name.
    public static func thingsBoard(host: String = "mqtt.thingsboard.cloud", accessToken: String) -> Self {
        var configuration = Self(server: .mqtts(host))
        // Not `.password`: descriptions show a user name.
        configuration.credentials = .provider { Login(username: accessToken) }
        configuration.serviceLimits.serviceName = "ThingsBoard"
        configuration.serviceLimits.maximumQoS = .atLeastOnce
        return configuration
    }
}

import CurlewCore
public import CurlewTransport

extension MQTTConfiguration {
    /// A client of AWS IoT Core.
    ///
    /// ```swift
    /// let configuration = try MQTTConfiguration.awsIoT(
    ///     endpoint: "abc123-ats.iot.eu-central-1.amazonaws.com", clientIdentifier: "camera-7",
    ///     authentication: .certificate(.init(chain: .file("device.pem.crt"), key: .file("private.pem.key"))))
    /// ```
    ///
    /// AWS IoT Core closes the connection of a client that exceeds most of its limits. The client checks them before it
    /// sends anything: see ``ServiceLimits/awsIoT``. To stay below 100 publishes per second and connection, set
    /// `serviceLimits.publishesPerSecond` to 100: messages above the rate then wait.
    ///
    /// - Parameters:
    ///   - endpoint: The host name of the account's data endpoint, or of a custom domain.
    ///   - clientIdentifier: The client identifier, which the policy must permit.
    ///   - authentication: How the client proves its identity, which also determines protocol and port.
    ///   - trustRoots: The authorities to trust. Default: those of the operating system, among which Amazon's are.
    /// - Throws: ``MQTTError`` with the code `.invalidConfiguration` if the endpoint is not a host name, if the user name
    ///   for a custom authorizer contains `?` or `&`, or if the region for a signature cannot be read from the endpoint.
    ///   ``validate()`` checks all other settings when the client is created.
    public static func awsIoT(
        endpoint: String, clientIdentifier: String, authentication: AWSIoTAuthentication,
        trustRoots: TLSSettings.TrustRoots = .system
    ) throws(MQTTError) -> Self {
        guard !endpoint.isEmpty, endpoint.utf8.allSatisfy(Self.mayStandInEndpoint) else {
            throw MQTTError(
                .invalidConfiguration,
                "The endpoint of AWS IoT Core must be only a host name, without scheme, port and path, such as "
                    + "abc123-ats.iot.eu-central-1.amazonaws.com.")
        }
        var configuration = Self()
        configuration.clientIdentifier = .given(clientIdentifier)
        configuration.tls.trustRoots = trustRoots
        configuration.serviceLimits = .awsIoT
        // Its limit of unacknowledged messages; before 5.0, it cannot say so.
        configuration.session.maximumInFlightMessages = 100
        try authentication.apply(&configuration, endpoint)
        return configuration
    }

    private static func mayStandInEndpoint(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}

extension MQTTConfiguration.ServiceLimits {
    /// What AWS [documents](https://docs.aws.amazon.com/general/latest/gr/iot-core.html) about the message broker of AWS
    /// IoT Core: no messages at QoS 2 (subscriptions request QoS 1), payloads of at most 128 KiB, topics of at most 256 bytes and 7 slashes (without the first
    /// three levels of Basic Ingest), client identifiers of at most 128 bytes, keep alive from 30 to 1,200 seconds.
    ///
    /// Its limit of 8 topic filters for each SUBSCRIBE needs no check, because the client sends one SUBSCRIBE for each
    /// filter.
    public static let awsIoT: Self = {
        var limits = Self()
        limits.serviceName = "AWS IoT Core"
        limits.maximumQoS = .atLeastOnce
        limits.maximumPayloadSize = 128 << 10
        limits.maximumTopicLength = 256
        limits.maximumTopicSlashes = 7
        limits.maximumClientIdentifierLength = 128
        limits.keepAlive = .seconds(30) ... .seconds(1200)
        limits.uncountedLevels = (prefix: "$aws/rules/", count: 3)
        return limits
    }()
}

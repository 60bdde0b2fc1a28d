#if AWS
import CurlewCore
import CurlewTransport

extension WebSocketSettings {
    /// Signs the request of each attempt to connect for AWS IoT Core, after it was prepared.
    ///
    /// - Parameters:
    ///   - credentials: Where the credentials come from; requested for each attempt.
    ///   - region: The region. Default: that of the endpoint's host name.
    ///   - service: The name of the service in the signature.
    ///   - validity: For how many seconds the signature is valid. Default: not stated, so the service decides.
    ///   - now: Returns the seconds since 1970. Default: the system's clock.
    package mutating func signForAWS(
        credentials: AWSCredentialsSource, region: String? = nil, service: String = SigV4.iotDeviceGateway,
        validity: Int? = nil, now: @escaping @Sendable () -> Int = SigV4.systemTime
    ) {
        self.signRequest = { request in
            do throws(MQTTError) {
                // Not with `??`, which would lose the type of the error.
                let region = if let region { region } else { try AWSRegion.ofEndpoint(request.host) }
                let credentials = try await credentials.load()
                request.target = SigV4(region: region, service: service).presigned(
                    request.target, host: request.signedHost(), by: credentials,
                    at: SigV4Time(secondsSince1970: now()), validity: validity)
            } catch {
                // Its message becomes that of the failed attempt.
                throw TransportError(.invalidConfiguration, error.message, cause: error)
            }
        }
    }
}

extension WebSocketSettings.Request {
    /// The value of the field `Host`, which it adds if there is none: what is signed and what is sent must be equal.
    ///
    /// The port is left out if it is the usual one, as in AWS's examples.
    fileprivate mutating func signedHost() -> String {
        if let header = self.headers.first(where: { $0.name.lowercased() == "host" }) { return header.value }
        let isUsual = self.port == (self.isSecure ? 443 : 80)
        let value = hostInURL(self.host.lowercased(), port: isUsual ? nil : self.port)
        self.headers.append(.init(name: "Host", value: value))
        return value
    }
}
#endif

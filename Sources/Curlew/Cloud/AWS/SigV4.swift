#if AWS
import CurlewCore
import Crypto

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Signs requests with AWS Signature Version 4, as described under "Signing AWS API requests" in the IAM User Guide.
package struct SigV4: Hashable, Sendable {
    package static let algorithm = "AWS4-HMAC-SHA256"
    /// The service that MQTT over WebSocket is signed for.
    package static let iotDeviceGateway = "iotdevicegateway"
    /// How many seconds the clocks of client and service may differ.
    package static let maximumSkew = 300

    package let region: String
    package let service: String

    package init(region: String, service: String) {
        self.region = region
        self.service = service
    }

    /// The time of the system's clock, in seconds since 1970.
    @Sendable package static func systemTime() -> Int { Int(time(nil)) }

    /// The credential scope, such as `20150830/us-east-1/service/aws4_request`.
    func scope(at time: SigV4Time) -> String { "\(time.day)/\(self.region)/\(self.service)/aws4_request" }

    package func stringToSign(_ request: SigV4Request, at time: SigV4Time) -> String {
        let hash = SHA256.hash(data: Array(request.canonicalText.utf8)).hexadecimal
        return [Self.algorithm, time.description, self.scope(at: time), hash].joined(separator: "\n")
    }

    /// The signature, 64 hexadecimal digits.
    package func signature(of request: SigV4Request, by credentials: AWSCredentials, at time: SigV4Time) -> String {
        let text = Array(self.stringToSign(request, at: time).utf8)
        return HMAC<SHA256>.authenticationCode(for: text, using: self.key(credentials, time)).hexadecimal
    }

    /// Whether the signature is that of the request. Compares in constant time.
    func isSignature(
        _ signature: [UInt8], of request: SigV4Request, by credentials: AWSCredentials, at time: SigV4Time
    ) -> Bool {
        HMAC<SHA256>.isValidAuthenticationCode(
            signature, authenticating: Array(self.stringToSign(request, at: time).utf8),
            using: self.key(credentials, time))
    }

    /// The key for one day, region and service.
    private func key(_ credentials: AWSCredentials, _ time: SigV4Time) -> SymmetricKey {
        var key = SymmetricKey(data: Array("AWS4\(credentials.secretAccessKey)".utf8))
        for text in [time.day, self.region, self.service, "aws4_request"] {
            key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key))
        }
        return key
    }

    // MARK: Results

    /// The value of the field `Authorization` for a request that already has a field `X-Amz-Date`.
    package func authorization(for request: SigV4Request, by credentials: AWSCredentials, at time: SigV4Time) -> String
    {
        "\(Self.algorithm) Credential=\(credentials.accessKeyID)/\(self.scope(at: time)), "
            + "SignedHeaders=\(request.signedHeaders), "
            + "Signature=\(self.signature(of: request, by: credentials, at: time))"
    }

    /// The target of a GET request with a signature in its query, which covers the host.
    ///
    /// A session token comes after the signature, which does not cover it: AWS IoT refuses it otherwise, unlike most
    /// services.
    ///
    /// - Parameters:
    ///   - target: Path and query. A signature in it is replaced.
    ///   - host: The value of the field `Host`.
    ///   - validity: The number of seconds for which the target can be used. Default: not stated, so the service
    ///     decides.
    package func presigned(
        _ target: String, host: String, by credentials: AWSCredentials, at time: SigV4Time, validity: Int? = nil
    ) -> String {
        var (path, query) = SigV4Query.split(target)
        if path.isEmpty { path = "/" }
        query.items.removeAll { Item.names.contains($0.name) }
        query.items += [
            .init(Item.algorithm, Self.algorithm),
            .init(Item.credential, "\(credentials.accessKeyID)/\(self.scope(at: time))"),
            .init(Item.date, time.description),
        ]
        if let validity { query.items.append(.init(Item.validity, "\(validity)")) }
        query.items.append(.init(Item.signedHeaders, "host"))
        let request = SigV4Request(target: "\(path)?\(query.text)", headers: [.init("host", host)])
        query.items.append(.init(Item.signature, self.signature(of: request, by: credentials, at: time)))
        if let token = credentials.sessionToken { query.items.append(.init(Item.sessionToken, token)) }
        return "\(path)?\(query.text)"
    }

    /// The names of the items in the query of a signed target.
    enum Item {
        static let algorithm = "X-Amz-Algorithm"
        static let credential = "X-Amz-Credential"
        static let date = "X-Amz-Date"
        static let validity = "X-Amz-Expires"
        static let signedHeaders = "X-Amz-SignedHeaders"
        static let signature = "X-Amz-Signature"
        static let sessionToken = "X-Amz-Security-Token"
        static let names = [
            Self.algorithm, Self.credential, Self.date, Self.validity, Self.signedHeaders, Self.signature,
            Self.sessionToken,
        ]
    }
}
#endif

#if AWS
import CurlewTransport
import Testing

@testable import Curlew

@Suite("AWS Signature Version 4")
struct SigV4Tests {
    @Test("The published test suite has the published signatures", arguments: SigV4Vector.all)
    func published(_ vector: SigV4Vector) {
        let text = SigV4Vector.signer.stringToSign(vector.request, at: SigV4Vector.time)
        #expect(
            text == """
                AWS4-HMAC-SHA256
                20150830T123600Z
                20150830/us-east-1/service/aws4_request
                \(vector.canonicalHash)
                """)
        let signature = SigV4Vector.signer.signature(
            of: vector.request, by: SigV4Vector.credentials, at: SigV4Vector.time)
        #expect(signature == vector.signature)
    }

    @Test("A canonical request contains its parts line by line")
    func canonical() {
        let request = SigV4Request(
            method: "POST", target: "/a/./b//../%20/?b=2&a=%41&a=+&c",
            headers: [.init("X-B", " 1\t  2 "), .init("Host", "h"), .init("x-b", "3")], body: Array("body".utf8))
        #expect(
            request.canonicalText == """
                POST
                /a/%2520/
                a=%2B&a=A&b=2&c=
                host:h
                x-b:1 2,3

                host;x-b
                230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5
                """)
    }

    @Test("The field Authorization names the key, the scope, the signed fields and the signature")
    func authorization() throws {
        let vector = try #require(SigV4Vector.all.first { $0.testDescription == "post-x-www-form-urlencoded" })
        #expect(
            SigV4Vector.signer.authorization(
                for: vector.request, by: SigV4Vector.credentials, at: SigV4Vector.time)
                == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                + "SignedHeaders=content-type;host;x-amz-date, "
                + "Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a")
    }

    // MARK: Presigned targets

    private static let host = "abc123-ats.iot.eu-central-1.amazonaws.com"
    private static let token = "IQoJb3JpZ2luX2VjEPT//////////wEaCXVzLWVhc3QtMSJHMEUCIQ==+/="
    private static let encodedToken =
        "IQoJb3JpZ2luX2VjEPT%2F%2F%2F%2F%2F%2F%2F%2F%2F%2FwEaCXVzLWVhc3QtMSJHMEUCIQ%3D%3D%2B%2F%3D"
    /// 2026-11-27 09:05:03 UTC.
    private static let now = 1_795_770_303
    private static let credential =
        "X-Amz-Credential=AKIDEXAMPLE%2F20261127%2Feu-central-1%2Fiotdevicegateway%2Faws4_request"

    private func credentials(token: String? = nil) -> AWSCredentials {
        var credentials = SigV4Vector.credentials
        credentials.sessionToken = token
        return credentials
    }

    /// The values are those of botocore.
    private func presigned(
        _ target: String = "/mqtt", host: String = Self.host, token: String? = nil, validity: Int? = nil
    ) -> String {
        SigV4(region: "eu-central-1", service: SigV4.iotDeviceGateway).presigned(
            target, host: host, by: self.credentials(token: token), at: SigV4Time(secondsSince1970: Self.now),
            validity: validity)
    }

    @Test("A presigned target contains the signature as the last item")
    func target() {
        #expect(
            self.presigned()
                == "/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256&\(Self.credential)&X-Amz-Date=20261127T090503Z"
                + "&X-Amz-SignedHeaders=host"
                + "&X-Amz-Signature=a0204a9dabadc2f928afcf8c59b89d49cccfa23bc095c902baacd80536535de6")
    }

    @Test("A session token follows the signature, which does not cover it")
    func sessionToken() {
        #expect(
            self.presigned(token: Self.token)
                == self.presigned() + "&X-Amz-Security-Token=\(Self.encodedToken)")
    }

    @Test("The signature covers the validity, the port and other items of the query")
    func covered() {
        #expect(
            self.presigned(token: Self.token, validity: 86_400)
                == "/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256&\(Self.credential)&X-Amz-Date=20261127T090503Z"
                + "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
                + "&X-Amz-Signature=0326092b994c47a0abe3fa0a88f33aa09a95b659d28def4854aa34ec26ffc34d"
                + "&X-Amz-Security-Token=\(Self.encodedToken)")
        #expect(
            self.presigned(host: Self.host + ":8443").hasSuffix(
                "&X-Amz-Signature=d5fd70ac9d9aff36865d7f69262c0a1bd44787aa061bf4700ade4c95be473900"))
        let target = self.presigned("/mqtt?z=1&Token=a%2Fb")
        #expect(target.hasPrefix("/mqtt?z=1&Token=a%2Fb&X-Amz-Algorithm="))
        #expect(
            target.hasSuffix("&X-Amz-Signature=c46e84084a963ff4ba8a4b1aeeec05f19cb1145f655a5041d7f606bbe48b0161"))
    }

    @Test("Signing a signed target replaces the signature")
    func again() {
        #expect(self.presigned(self.presigned(token: Self.token, validity: 60)) == self.presigned())
        #expect(self.presigned("") == self.presigned("/"))
    }

    // MARK: Time

    @Test(
        "A time is written without separators, and read back",
        arguments: [
            (0, "19700101T000000Z"), (1_440_938_160, "20150830T123600Z"), (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"), (1_709_251_199, "20240229T235959Z"), (1_735_689_599, "20241231T235959Z"),
            (1_735_689_600, "20250101T000000Z"), (4_107_542_399, "21000228T235959Z"),
            (4_107_542_400, "21000301T000000Z"), (253_402_300_799, "99991231T235959Z"),
        ])
    func time(seconds: Int, text: String) {
        #expect(SigV4Time(secondsSince1970: seconds).description == text)
        #expect(SigV4Time(text)?.secondsSince1970 == seconds)
    }

    @Test(
        "A time of another form is refused",
        arguments: [
            "", "20150830T123600", "20150830 123600Z", "20150830T123600z", "20150830T126000Z", "20150830T240000Z",
            "20150830T123660Z", "20150229T000000Z", "20151330T000000Z", "+0150830T123600Z", "19691231T235959Z",
            "20150830T1236000Z", "2015083٠T12360Z",
        ])
    func refusedTime(text: String) {
        #expect(SigV4Time(text) == nil)
    }

    @Test("A clock beyond the representable times counts as the nearest one")
    func clamped() {
        #expect(SigV4Time(secondsSince1970: .min).description == "19700101T000000Z")
        #expect(SigV4Time(secondsSince1970: .max).description == "99991231T235959Z")
    }

    // MARK: WebSocket

    private func prepared(
        _ host: String = Self.host, port: Int = 443, isSecure: Bool = true, headers: [WebSocketSettings.Header] = [],
        region: String? = nil, source: AWSCredentialsSource = .fixed(SigV4Vector.credentials)
    ) async throws -> WebSocketSettings.Request {
        var settings = WebSocketSettings()
        settings.signForAWS(credentials: source, region: region, now: { Self.now })
        var request = WebSocketSettings.Request(
            host: host, port: port, isSecure: isSecure, target: "/mqtt?first=1", headers: headers)
        try await settings.signRequest?(&request)
        return request
    }

    @Test("The request to open a WebSocket is signed for the region of its host")
    func webSocket() async throws {
        let request = try await self.prepared()
        #expect(request.target == self.presigned("/mqtt?first=1"))
        #expect(request.headers == [.init(name: "Host", value: Self.host)])
    }

    @Test("The signed host is the one that is sent")
    func webSocketHost() async throws {
        let other = try await self.prepared(Self.host.uppercased(), port: 8443)
        #expect(other.headers == [.init(name: "Host", value: Self.host + ":8443")])
        #expect(other.target == self.presigned("/mqtt?first=1", host: Self.host + ":8443"))

        let local = try await self.prepared("::1", port: 80, isSecure: false, region: "eu-central-1")
        #expect(local.headers == [.init(name: "Host", value: "[::1]")])
        #expect(local.target == self.presigned("/mqtt?first=1", host: "[::1]"))

        let given = try await self.prepared(
            "10.0.0.1", headers: [.init(name: "host", value: "proxy")], region: "eu-central-1")
        #expect(given.headers == [.init(name: "host", value: "proxy")])
        #expect(given.target == self.presigned("/mqtt?first=1", host: "proxy"))
    }

    @Test("The credentials are asked for again for each request")
    func freshCredentials() async throws {
        let tokens = AsyncStream<String>.makeStream()
        for token in ["one", "two"] { tokens.continuation.yield(token) }
        tokens.continuation.finish()
        let source = AWSCredentialsSource.custom {
            for await token in tokens.stream {
                return AWSCredentials(accessKeyID: "A", secretAccessKey: "s", sessionToken: token)
            }
            throw CancellationError()
        }
        #expect(try await self.prepared(source: source).target.hasSuffix("&X-Amz-Security-Token=one"))
        #expect(try await self.prepared(source: source).target.hasSuffix("&X-Amz-Security-Token=two"))
    }

    @Test("A failure is one of the transport, with the sentence that says what to do")
    func webSocketFailure() async throws {
        let region = await #expect(throws: TransportError.self) { _ = try await self.prepared("10.0.0.1") }
        #expect(region?.message.contains("'10.0.0.1'") == true && region?.cause is MQTTError)
        let source = AWSCredentialsSource.environment([:])
        let credentials = await #expect(throws: TransportError.self) { _ = try await self.prepared(source: source) }
        #expect(credentials?.message.contains("AWS_ACCESS_KEY_ID") == true)
    }
}
#endif

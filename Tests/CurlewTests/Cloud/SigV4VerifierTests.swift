#if AWS
import Testing

@testable import Curlew

@Suite("Verification of AWS signatures")
struct SigV4VerifierTests {
    private static let signer = SigV4(region: "eu-central-1", service: SigV4.iotDeviceGateway)
    private static let host = "abc123-ats.iot.eu-central-1.amazonaws.com"
    private static let now = 1_795_770_303
    private static let user = AWSCredentials(accessKeyID: "AKIDUSER", secretAccessKey: "secret")
    private static let role = AWSCredentials(
        accessKeyID: "ASIAROLE", secretAccessKey: "other", sessionToken: "to/k+en=")

    private func target(
        _ target: String = "/mqtt?a=%20b", by credentials: AWSCredentials = Self.user, signer: SigV4 = Self.signer,
        validity: Int? = nil
    ) -> String {
        signer.presigned(
            target, host: Self.host, by: credentials, at: SigV4Time(secondsSince1970: Self.now), validity: validity)
    }

    /// The refusal of a target; `nil` if it is accepted.
    private func refusal(_ target: String, host: String = Self.host, after seconds: Int = 0)
        -> SigV4Verifier.Refusal?
    {
        let verifier = SigV4Verifier(Self.signer, credentials: [Self.user, Self.role])
        do throws(SigV4Verifier.Refusal) {
            try verifier.verify(target, host: host, at: Self.now + seconds)
            return nil
        } catch {
            #expect("\(error)".hasSuffix("."))
            return error
        }
    }

    @Test("A signed target is accepted, and its credentials are returned")
    func accepted() throws {
        let verifier = SigV4Verifier(Self.signer, credentials: [Self.user, Self.role])
        for credentials in [Self.user, Self.role] {
            #expect(
                try verifier.verify(self.target(by: credentials), host: Self.host, at: Self.now) == credentials)
        }
    }

    @Test("Any change to what is signed is a wrong signature")
    func changed() {
        let target = self.target()
        #expect(self.refusal(target.replacing("a=%20b", with: "a=%20c")) == .wrongSignature)
        #expect(self.refusal(target.replacing("/mqtt", with: "/mqtx")) == .wrongSignature)
        #expect(self.refusal(target + "&more=1") == .wrongSignature)
        #expect(self.refusal(target.replacing("T090503Z", with: "T090504Z")) == .wrongSignature)
        #expect(self.refusal(target, host: Self.host + ":443") == .wrongSignature)
        let impostor = AWSCredentials(accessKeyID: "AKIDUSER", secretAccessKey: "guess")
        #expect(self.refusal(self.target(by: impostor)) == .wrongSignature)
    }

    @Test("Each digit of the signature counts")
    func digits() throws {
        let target = self.target()
        for offset in 1...64 {
            var bytes = Array(target.utf8)
            let index = bytes.count - offset
            bytes[index] = bytes[index] == UInt8(ascii: "0") ? UInt8(ascii: "1") : UInt8(ascii: "0")
            #expect(self.refusal(String(decoding: bytes, as: UTF8.self)) == .wrongSignature)
        }
    }

    @Test("Another form of the same query is accepted")
    func sameQuery() {
        #expect(self.refusal(self.target().replacing("a=%20b", with: "%61=%20%62")) == nil)
        #expect(self.refusal(self.target().replacing("a=%20b&", with: "") + "&a=%20b") == nil)
    }

    @Test("A missing, repeated or malformed item is refused by name")
    func items() {
        let target = self.target(validity: 60)
        for name in ["Algorithm", "Credential", "Date", "SignedHeaders", "Signature"].map({ "X-Amz-\($0)" }) {
            #expect(self.refusal(target.replacing("\(name)=", with: "\(name)X=")) == .missing(name))
            #expect(self.refusal(target.replacing("\(name)=", with: "\(name)=x&\(name)=")) == .repeated(name))
        }
        #expect(self.refusal("/mqtt") == .missing("X-Amz-Algorithm"))
        #expect(self.refusal("") == .missing("X-Amz-Algorithm"))
        let malformed = [
            ("=AWS4-HMAC-SHA256", "=AWS4-HMAC-SHA1", "X-Amz-Algorithm"),
            ("%2F20261127%2Feu-central-1%2Fiotdevicegateway%2Faws4_request", "", "X-Amz-Credential"),
            ("=20261127T", "=20261327T", "X-Amz-Date"), ("=host", "=host%3Bx", "X-Amz-SignedHeaders"),
            ("Expires=60", "Expires=0", "X-Amz-Expires"), ("Expires=60", "Expires=604801", "X-Amz-Expires"),
            ("Signature=", "Signature=0", "X-Amz-Signature"), ("Expires=60", "Expires=%FF", "X-Amz-Expires"),
        ]
        for (text, other, name) in malformed {
            #expect(self.refusal(target.replacing(text, with: other)) == .malformed(name))
        }
        let upper = self.target().split(separator: "X-Amz-Signature=")
        #expect(self.refusal("\(upper[0])X-Amz-Signature=\(upper[1].uppercased())") == .malformed("X-Amz-Signature"))
    }

    @Test("A scope of another day, region or service is refused")
    func scope() {
        for signer in [
            SigV4(region: "us-east-1", service: SigV4.iotDeviceGateway),
            SigV4(region: "eu-central-1", service: "iotdata"),
        ] {
            #expect(
                self.refusal(self.target(signer: signer))
                    == .wrongScope(
                        "20261127/\(signer.region)/\(signer.service)/aws4_request",
                        expected: "20261127/eu-central-1/iotdevicegateway/aws4_request"))
        }
        #expect(
            self.refusal(self.target().replacing("%2F20261127%2F", with: "%2F20261128%2F"))
                == .wrongScope(
                    "20261128/eu-central-1/iotdevicegateway/aws4_request",
                    expected: "20261127/eu-central-1/iotdevicegateway/aws4_request"))
        let stranger = AWSCredentials(accessKeyID: "AKIDOTHER", secretAccessKey: "secret")
        #expect(self.refusal(self.target(by: stranger)) == .unknownAccessKey("AKIDOTHER"))
    }

    @Test("A signature is valid for five minutes or the stated time, and clocks may differ by five minutes")
    func age() {
        #expect(self.refusal(self.target(), after: 300) == nil)
        #expect(self.refusal(self.target(), after: 301) == .expired(seconds: 1))
        #expect(self.refusal(self.target(), after: -300) == nil)
        #expect(self.refusal(self.target(), after: -301) == .fromFuture(seconds: 301))
        #expect(self.refusal(self.target(validity: 60), after: 60) == nil)
        #expect(self.refusal(self.target(validity: 60), after: 61) == .expired(seconds: 1))
        #expect(self.refusal(self.target(validity: 3600), after: 3600) == nil)
    }

    @Test("A session token must be that of the key, and must not be signed")
    func sessionToken() {
        let target = self.target(by: Self.role)
        #expect(self.refusal(target) == nil)
        #expect(self.refusal(target.replacing("to%2Fk%2Ben%3D", with: "token")) == .wrongSessionToken)
        #expect(self.refusal(target.replacing("&X-Amz-Security-Token=to%2Fk%2Ben%3D", with: "")) == .wrongSessionToken)
        #expect(self.refusal(self.target() + "&X-Amz-Security-Token=x") == .wrongSessionToken)
        // As most other services expect it.
        let time = SigV4Time(secondsSince1970: Self.now)
        let query =
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIAROLE%2F\(Self.signer.scope(at: time))"
            .replacing("/", with: "%2F") + "&X-Amz-Date=\(time)&X-Amz-Security-Token=to%2Fk%2Ben%3D"
            + "&X-Amz-SignedHeaders=host"
        let request = SigV4Request(target: "/mqtt?\(query)", headers: [.init("host", Self.host)])
        let signature = Self.signer.signature(of: request, by: Self.role, at: time)
        #expect(self.refusal("/mqtt?\(query)&X-Amz-Signature=\(signature)") == .wrongSignature)
    }
}
#endif

#if AWS
import Curlew
import Foundation
import MosquittoFixture
import Testing

/// A request that Curlew and AWS's libraries for Python sign.
private struct SigningRequest: Codable, CustomTestStringConvertible {
    /// `nil` for a signature in the query.
    var method: String?
    var target: String
    var host: String
    /// Names and values, besides `Host` and `X-Amz-Date`.
    var headers: [[String]]?
    var body: String?
    var accessKeyID: String
    var secretAccessKey: String
    var sessionToken: String?
    var region: String
    var service: String
    var seconds: Int
    var validity: Int?

    var testDescription: String { "\(self)" }

    /// What the peer answers for a signature in the query.
    struct SignedTarget: Codable, Equatable {
        /// By botocore.
        var target: String
        /// By awscrt.
        var signature: String
    }

    private var signer: SigV4 { SigV4(region: self.region, service: self.service) }
    private var time: SigV4Time { SigV4Time(secondsSince1970: self.seconds) }
    private var credentials: AWSCredentials {
        AWSCredentials(
            accessKeyID: self.accessKeyID, secretAccessKey: self.secretAccessKey, sessionToken: self.sessionToken)
    }

    /// The same by Curlew.
    var signedTarget: SignedTarget {
        let target = self.signer.presigned(
            self.target, host: self.host, by: self.credentials, at: self.time, validity: self.validity)
        let signature = target.firstRange(of: "X-Amz-Signature=").map { target[$0.upperBound...].prefix(64) }
        return SignedTarget(target: target, signature: String(signature ?? ""))
    }

    /// The field `Authorization` by Curlew.
    var authorization: String {
        var headers = (self.headers ?? []).map { SigV4Request.Header($0[0], $0[1]) }
        headers += [.init("Host", self.host), .init("X-Amz-Date", "\(self.time)")]
        let request = SigV4Request(
            method: self.method ?? "GET", target: self.target, headers: headers, body: Array((self.body ?? "").utf8))
        return self.signer.authorization(for: request, by: self.credentials, at: self.time)
    }

    // MARK: Random requests

    /// A request for a signature in the query.
    static func target(_ random: inout Seeded) -> Self {
        var request = Self(random: &random, path: Self.path(&random))
        if Bool.random(using: &random) { request.sessionToken = random.text(Seeded.visible, 1...200) }
        if Bool.random(using: &random) { request.validity = Int.random(in: 1...604_800, using: &random) }
        return request
    }

    /// A request for a signature in the header.
    static func header(_ random: inout Seeded) -> Self {
        var request = Self(random: &random, path: Self.path(&random))
        request.method = ["GET", "POST", "PUT", "DELETE"].randomElement(using: &random)
        request.body = random.text(Seeded.any, 0...40)
        request.headers = (0..<Int.random(in: 0...4, using: &random)).map { _ in
            // Few names, so that some come twice.
            ["X-" + random.text("aBc", 1...1), random.text(Seeded.visible + "  \t", 0...20)]
        }
        return request
    }

    private init(random: inout Seeded, path: String) {
        let names = (0..<Int.random(in: 0...3, using: &random)).map { "\($0)" + random.text(Seeded.any, 0...5) }
        let items = names.shuffled(using: &random).map { name in
            "\(Self.encoded(name))=\(Self.encoded(random.text(Seeded.any, 0...8)))"
        }
        self.target = path + (items.isEmpty ? "" : "?" + items.joined(separator: "&"))
        self.host = random.text("abcxyz0189-", 1...20) + ".iot.example.com"
        if Bool.random(using: &random) { self.host += ":\(Int.random(in: 1024...65_535, using: &random))" }
        self.accessKeyID = "A" + random.text("ABCXYZ234567", 15...19)
        self.secretAccessKey = random.text(Seeded.visible, 1...60)
        self.region = random.text("abcxyz", 2...6) + "-\(Int.random(in: 1...9, using: &random))"
        self.service = Bool.random(using: &random) ? SigV4.iotDeviceGateway : random.text("abcxyz", 1...12)
        self.seconds = Int.random(in: 0..<253_402_300_800, using: &random)
    }

    /// Half of the time, the path of AWS IoT.
    private static func path(_ random: inout Seeded) -> String {
        guard Bool.random(using: &random) else { return "/mqtt" }
        let segments = (0..<Int.random(in: 0...5, using: &random)).map { _ in
            ["", ".", "..", Self.encoded(random.text(Seeded.any, 1...6))].randomElement(using: &random) ?? ""
        }
        return "/" + segments.joined(separator: "/")
    }

    private static func encoded(_ text: String) -> String { text.utf8.percentEncoded() }
}

/// Random values that are the same in each run.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    static let visible = String(String.UnicodeScalarView((0x21...0x7E).map { Unicode.Scalar(UInt8($0)) }))
    static let any = "azAZ09 -._~!*'();:@&=+$,/?%#[]\"<>\\^`{|}\t\u{7F}é°ሴ🛋"

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var value = (self.state ^ self.state >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }

    mutating func text(_ characters: String, _ lengths: ClosedRange<Int>) -> String {
        let characters = Array(characters)
        return String(
            (0..<Int.random(in: lengths, using: &self)).compactMap { _ in characters.randomElement(using: &self) })
    }
}

@Suite(
    "Curlew and AWS's libraries sign alike",
    .enabled(
        if: Peers.areRequired || Subprocess.find(Peers.python) != nil,
        "the Python libraries are not installed; scripts/test installs them"),
    .timeLimit(.minutes(5)))
struct SigV4Tests {
    private static let script = URL(filePath: #filePath).appending(path: "../Peers/sigv4_peer.py").standardized.path

    private func sign<Result: Decodable>(_ requests: [SigningRequest], as result: Result.Type) async throws -> [Result]
    {
        let peer = try Subprocess(Peers.python, ["-B", Self.script], hasInput: true)
        try peer.write(String(decoding: JSONEncoder().encode(requests), as: UTF8.self))
        try peer.endInput()
        return try JSONDecoder().decode([Result].self, from: Data(try await peer.success().utf8))
    }

    @Test("The signed targets of 300 random requests are equal to those of botocore, and the signatures to awscrt's")
    func targets() async throws {
        var random = Seeded(state: 1)
        let requests = (0..<300).map { _ in SigningRequest.target(&random) }
        let expected = try await self.sign(requests, as: SigningRequest.SignedTarget.self)
        try #require(expected.count == requests.count)
        for (request, expected) in zip(requests, expected) {
            #expect(request.signedTarget == expected, "\(request)")
        }
    }

    @Test("The fields Authorization of 300 random requests are equal to those of botocore")
    func authorizations() async throws {
        var random = Seeded(state: 2)
        let requests = (0..<300).map { _ in SigningRequest.header(&random) }
        let expected = try await self.sign(requests, as: String.self)
        try #require(expected.count == requests.count)
        for (request, expected) in zip(requests, expected) {
            #expect(request.authorization == expected, "\(request)")
        }
    }

    @Test(
        "Unusual but valid queries have the signature of awscrt",
        arguments: ["/mqtt?a=1+2", "/mqtt?c", "/mqtt?b&a=%41%2f&&=x", "/mqtt?a=b=c&a=B", "/mqtt?"])
    func queries(target: String) async throws {
        var random = Seeded(state: 3)
        var request = SigningRequest.target(&random)
        request.target = target
        let expected = try await self.sign([request], as: SigningRequest.SignedTarget.self)
        #expect(expected.map(\.signature) == [request.signedTarget.signature])
    }
}
#endif

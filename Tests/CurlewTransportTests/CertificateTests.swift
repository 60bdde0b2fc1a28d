import Testing

@testable import CurlewTransport

@Suite("Certificates")
struct CertificateTests {
    private static let day = 86_400
    /// 2026-11-27 00:00:00 UTC
    private static let now = 1_795_737_600

    private func notice(from start: Int, to end: Int, _ role: CertificateNotice.Role = .broker) -> String? {
        CertificateNotice(
            role: role, subject: "\"broker\"", origin: "file b.pem",
            validity: ValidityPeriod(start: Self.now + start * Self.day, end: Self.now + end * Self.day)
        ).text(at: Self.now)
    }

    @Test("There is no notice about a certificate that is valid for at least 14 days")
    func valid() {
        #expect(self.notice(from: -1, to: 14) == nil)
        #expect(self.notice(from: 0, to: 1000) == nil)
    }

    @Test("There is a notice about a certificate that has expired, expires soon, or is not valid yet")
    func invalid() {
        #expect(
            self.notice(from: -9, to: -1)
                == "The broker's certificate \"broker\" (file b.pem) expired on 2026-11-26: clients refuse it; replace it."
        )
        #expect(
            self.notice(from: -9, to: 13)
                == "The broker's certificate \"broker\" (file b.pem) expires in 13 days, on 2026-12-10; replace it before."
        )
        #expect(self.notice(from: -9, to: 0)?.contains("expires within a day, on 2026-11-27") == true)
        #expect(self.notice(from: 2, to: 9)?.contains("is not valid before 2026-11-29") == true)
        #expect(self.notice(from: -9, to: -1, .clientAuthority)?.contains("clients with certificates of it") == true)
    }

    @Test(
        "A date is formatted as a calendar date",
        arguments: [
            (0, "1970-01-01"), (951_782_400, "2000-02-29"), (951_868_800, "2000-03-01"), (4_107_542_399, "2100-02-28"),
            (4_107_542_400, "2100-03-01"), (-1, "1969-12-31"), (253_402_300_799, "9999-12-31"),
            (.max, "a time far away"),
        ])
    func dates(seconds: Int, text: String) {
        #expect(ValidityPeriod.date(seconds) == text)
    }

    @Test("Truncated and corrupted certificates are parsed without crashing")
    func hostile() throws {
        let certificate = try #require(Base64.decode(Self.body(of: Fixture.bytes("server.pem"))))
        #expect(CertificateContents(der: certificate)?.subjectName == "\"server\"")
        for count in certificate.indices {
            _ = CertificateContents(der: Array(certificate.prefix(count)))
            for value: UInt8 in [0x00, 0x7F, 0x80, 0x83, 0x84, 0xFF] {
                var bytes = certificate
                bytes[count] = value
                _ = CertificateContents(der: bytes)?.subjectName
            }
        }
    }

    private static func body(of pem: [UInt8]) -> String {
        String(decoding: pem, as: UTF8.self).split(separator: "\n").filter { !$0.hasPrefix("-----") }.joined()
    }

    @Test("Key usage and purposes are read, and their absence permits everything")
    func usage() throws {
        func contents(_ name: String) throws -> CertificateContents {
            try #require(
                CertificateContents(der: Base64.decode(Self.body(of: Fixture.bytes("matrix/\(name).pem"))) ?? []))
        }
        #expect(try contents("rsa-none").permits([.digitalSignature, .keyEncipherment]))
        #expect(try contents("rsa-both").permits([.digitalSignature, .keyEncipherment]))
        #expect(try !contents("rsa-signs").permits(.keyEncipherment))
        #expect(try !contents("rsa-enciphers").permits(.digitalSignature))
        #expect(try contents("for-client").isFor(.client) && !contents("for-client").isFor(.server))
        #expect(try contents("for-both").isFor(.client) && contents("for-both").isFor(.server))
        #expect(try contents("rsa-none").isFor(.server))
        #expect(try contents("root").isSelfIssued && !contents("rsa-none").isSelfIssued)
        #expect(try contents("chained").issuerName == "\"intermediate-2\"")
    }

    @Test(
        "The algorithm of a private key is recognized in all its formats",
        arguments: [
            ("rsa", "RSA"), ("rsa-pss", "RSA-PSS"), ("P-256", "P-256"), ("P-256.sec1", "P-256"), ("P-384", "P-384"),
            ("P-521", "P-521"), ("ed25519", "Ed25519"), ("ed448", "Ed448"), ("secp256k1", "secp256k1"),
        ])
    func kinds(file: String, kind: String) throws {
        let bytes = try Fixture.bytes("matrix/\(file).key.pem")
        #expect(KeyAlgorithm(privateKey: bytes)?.description == kind)
        #expect(KeyAlgorithm(privateKey: [])?.description == nil)
    }

    @Test("A sentence can name settings as the library or as the command does")
    func sentences() {
        let sentence: TLSSentence = "Give \(.trustRoots) for \("localhost")."
        #expect(sentence.text(naming: \.libraryName) == "Give tls.trustRoots for localhost.")
        let error = TransportError(.certificateNotTrusted, sentence: "No \(.trustRoots)." as TLSSentence)
        #expect(error.message(naming: { _ in "--cafile" }) == "No --cafile.")
    }
}

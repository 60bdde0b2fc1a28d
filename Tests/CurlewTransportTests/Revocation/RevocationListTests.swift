#if Accounts
import Testing

@testable import CurlewTransport

@Suite("Revocation lists")
struct RevocationListTests {
    @Test("A list contains the certificates that were revoked, but not those that are removed from it")
    func contents() throws {
        let list = try RevocationFixture.list("root")
        #expect(list.issuer == (try RevocationFixture.certificate("root").contents.subject))
        #expect(ValidityPeriod.date(list.period.start) == "2020-01-01")
        #expect(ValidityPeriod.date(list.period.end) == "2120-01-01")
        let revoked = try ["good", "revoked", "removed"].filter {
            list.revokes(try RevocationFixture.certificate($0).identifier.serialNumber)
        }
        #expect(revoked == ["revoked"])
    }

    @Test("PEM and DER contain the same list, and an empty list contains nothing")
    func forms() throws {
        let serialNumber = try RevocationFixture.certificate("revoked").identifier.serialNumber
        let der = try Fixture.bytes("revocation/root.der.crl")
        #expect(der == (try RevocationFixture.bytes("root")))
        #expect(try RevocationList(der: der[...]).revokes(serialNumber))
        #expect(try !RevocationFixture.list("empty").revokes(serialNumber))
    }

    @Test(
        "The signature of each supported kind is valid for the issuer's key only",
        arguments: [
            ("root", "root"), ("namesake", "namesake"), ("intermediate", "intermediate"), ("rsa", "rsa"),
            ("rsa-pss-sha384", "rsa"), ("rsa-pss-sha512", "rsa"), ("P-384", "P-384"), ("P-384-sha384", "P-384"),
            ("P-384-sha512", "P-384"), ("P-521", "P-521"), ("ed25519", "ed25519"),
        ])
    func signatures(list: String, authority: String) throws {
        let signature = try RevocationFixture.list(list).signature
        let authorities = ["root", "namesake", "intermediate", "rsa", "P-384", "P-521", "ed25519"]
        let signers = try authorities.filter {
            signature.isValid(for: try RevocationFixture.certificate($0).publicKey)
        }
        #expect(signers == [authority])
        #expect(!signature.isValid(for: []))
    }

    @Test("No changed byte leaves a list readable and its signature valid", arguments: ["root", "ed25519"])
    func changes(name: String) throws {
        let bytes = try RevocationFixture.bytes(name)
        let key = try RevocationFixture.certificate(name).publicKey
        var readable = 0
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 0x01
            guard let list = try? RevocationList(der: changed[...]) else { continue }
            readable += 1
            #expect(!list.signature.isValid(for: key), "byte \(index)")
        }
        #expect(readable > 100)
        for count in bytes.indices {
            #expect(throws: RevocationList.Flaw.malformed) { try RevocationList(der: bytes[..<count]) }
        }
        #expect(throws: RevocationList.Flaw.malformed) { try RevocationList(der: (bytes + [0])[...]) }
    }

    @Test(
        "A list that cannot be relied on is refused",
        arguments: [
            ("partial", RevocationList.Flaw.partial), ("indirect", .indirect), ("delta", .delta),
            ("unknown", .unknownExtension("1.2.3.4")), ("sha1", .obsoleteSignature),
        ])
    func flaws(name: String, flaw: RevocationList.Flaw) throws {
        let bytes = try RevocationFixture.bytes(name)
        #expect(throws: flaw) { try RevocationList(der: bytes[...]) }
    }

    @Test("A file may contain several lists among other text; an incomplete one is an error")
    func pem() throws {
        let root = try Fixture.bytes("revocation/root.crl")
        let text = Array("a list:\n".utf8) + root + (try Fixture.bytes("revocation/root.pem")) + root
        let der = try RevocationFixture.bytes("root")
        #expect(PEM.blocks("X509 CRL", in: text) == [der, der])
        let lines = text.split(separator: UInt8(ascii: "\n"))
        #expect(PEM.blocks("X509 CRL", in: Array(lines.joined(separator: Array(" \r\n".utf8)))) == [der, der])
        #expect(PEM.blocks("X509 CRL", in: root.dropLast(30)) == nil)
        #expect(PEM.blocks("X509 CRL", in: root.dropLast(30) + root) == nil)
        #expect(PEM.blocks("X509 CRL", in: Array("-----BEGIN X509 CRL-----\n!\n-----END X509 CRL-----\n".utf8)) == nil)
        #expect(PEM.blocks("X509 CRL", in: Array("text".utf8)) == [])
    }

    @Test(
        "Times are read as seconds since 1970",
        arguments: [
            (UInt8(0x17), "700101000000Z", 0), (0x17, "491231235959Z", 2_524_607_999),
            (0x17, "500101000000Z", -631_152_000),
            (0x18, "20000229235959Z", 951_868_799), (0x18, "99991231235959Z", 253_402_300_799),
            (0x17, "7001010000Z", nil), (0x17, "700101000000", nil), (0x18, "20001301000000Z", nil),
            (0x18, "20000101000000+0100", nil), (0x18, "2000-101000000Z", nil), (0x18, "00000101000000Z", nil),
            (0x04, "700101000000Z", nil), (0x17, "", nil),
        ] as [(UInt8, String, Int?)])
    func times(tag: UInt8, text: String, seconds: Int?) {
        let element = DERReader.Element(tag: tag, content: Array(text.utf8)[...], encoding: [])
        #expect(DERTime.seconds(element) == seconds)
    }

    @Test("There is a notice about a list that is outdated, not valid yet, or ends soon")
    func notices() throws {
        let now = ValidityPeriod.now
        #expect(try RevocationFixture.loaded("root", "rsa").notices(at: now) == [])
        let outdated = try RevocationFixture.loaded("expired").notices(at: now)
        #expect(
            outdated == [
                "The revocation list of \"root\" (file expired.crl) was due to be replaced on 2021-01-01: peers with"
                    + " certificates of this authority are refused; replace it."
            ])
        #expect(try RevocationFixture.loaded("future").notices(at: now).first?.contains("not valid before") == true)
        #expect(try RevocationFixture.loaded("expired", "root", "future").notices(at: now) == [])
        let end = try RevocationFixture.list("root").period.end
        let soon = try RevocationFixture.loaded("root").notices(at: end - 3 * 86_400)
        #expect(soon.first?.contains("is due to be replaced in 3 days, on 2120-01-01") == true, "\(soon)")
    }
}
#endif

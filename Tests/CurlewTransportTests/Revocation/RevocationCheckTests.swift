#if Accounts
import NIOSSL
import Testing

@testable import CurlewTransport

@Suite("The revocation check of a handshake")
struct RevocationCheckTests {
    private typealias Fixtures = RevocationFixture

    /// Presents a verified chain, and returns what the check finds.
    private func reason(
        _ lists: RevocationLists, _ chain: String..., now: Int = ValidityPeriod.now
    ) throws -> RevocationFinding.Reason? {
        let check = RevocationCheck(lists, now: { now })
        let certificates = try chain.map { try Fixtures.certificate($0) }
        for certificate in certificates where !check.accept(certificate) { return check.refusal?.reason }
        return check.conclude(certificates.last)?.reason
    }

    @Test(
        "After a reload, each list with the name of the issuer counts",
        arguments: [["empty", "root"], ["root", "empty"]])
    func anyList(names: [String]) throws {
        let lists = try Fixtures.loaded(names[0], names[1])
        let identifier = try Fixtures.certificate("revoked").identifier
        #expect(lists.isRevoked(identifier, at: 1_700_000_000))
        #expect(lists.objection(toVerified: identifier, at: 1_700_000_000) == .revoked)
        #expect(try !lists.isRevoked(Fixtures.certificate("good").identifier, at: 1_700_000_000))
    }

    @Test("A certificate is accepted if a current list of its issuer does not contain it")
    func accepted() throws {
        #expect(try self.reason(Fixtures.loaded("root"), "root", "good") == nil)
        #expect(try self.reason(Fixtures.loaded("root"), "root", "removed") == nil)
        #expect(try self.reason(Fixtures.loaded("root"), "root", "revoked") == .revoked)
        #expect(try self.reason(Fixtures.loaded("empty"), "root", "revoked") == nil)
    }

    @Test("A certificate without a current list of its issuer is refused")
    func withoutList() throws {
        #expect(try self.reason(Fixtures.loaded("rsa"), "root", "good") == .noList)
        #expect(try self.reason(Fixtures.loaded("namesake"), "root", "good") == .notSignedByIssuer)
        let expired = try Fixtures.list("expired").period.end
        #expect(try self.reason(Fixtures.loaded("expired"), "root", "good") == .outdated(expired))
        // That it is revoked says more.
        #expect(try self.reason(Fixtures.loaded("expired"), "root", "revoked") == .revoked)
        let future = try Fixtures.list("future").period.start
        #expect(try self.reason(Fixtures.loaded("future"), "root", "good") == .notYetValid(future))
    }

    @Test("Lists of other authorities, also with the same name, and future lists do no harm")
    func besides() throws {
        #expect(try self.reason(Fixtures.loaded("rsa", "namesake", "future", "root"), "root", "good") == nil)
        #expect(try self.reason(Fixtures.loaded("rsa", "namesake", "future", "root"), "root", "revoked") == .revoked)
    }

    @Test("Authorities in the chain are checked only if there is a list of their issuer")
    func intermediates() throws {
        let chain = ["root", "intermediate", "chained"]
        func reason(_ lists: RevocationLists) throws -> RevocationFinding.Reason? {
            try self.reason(lists, chain[0], chain[1], chain[2])
        }
        #expect(try reason(Fixtures.loaded("intermediate")) == nil)
        #expect(try reason(Fixtures.loaded("intermediate", "root")) == nil)
        #expect(try reason(Fixtures.loaded("root")) == .noList)
        #expect(try reason(Fixtures.loaded("intermediate", "root-later")) == .revoked)
        let expired = try Fixtures.list("expired").period.end
        #expect(try reason(Fixtures.loaded("intermediate", "expired")) == .outdated(expired))
    }

    @Test("An authority that is the peer itself needs a list, as any peer")
    func authorityAsPeer() throws {
        #expect(try self.reason(Fixtures.loaded("rsa"), "root", "intermediate") == .noList)
        #expect(try self.reason(Fixtures.loaded("root"), "root", "intermediate") == nil)
        #expect(try self.reason(Fixtures.loaded("rsa"), "root") == .noList)
        #expect(try self.reason(Fixtures.loaded("root"), "root") == nil)
    }

    @Test("A certificate with policy constraints is refused, because NIOSSL traps if they are not met")
    func policyConstraints() throws {
        let lists = try Fixtures.loaded("intermediate")
        #expect(try self.reason(lists, "root", "intermediate", "constrained") == .policyConstraints)
    }

    @Test("What TLS has not verified is never accepted")
    func unverified() throws {
        let check = RevocationCheck(try Fixtures.loaded("root"))
        let certificate = try #require(
            try Fixtures.pair("good").chain.certificates(as: .brokerCertificate).first)
        #expect(check.verify(.failed, certificate) == .failed)
        #expect(check.refusal == nil)
        #expect(!check.accept(nil))
        #expect(check.refusal?.reason == .unreadable)
    }

    @Test("The certificate of a resumed session is checked again")
    func resumed() throws {
        func reason(_ name: String, _ lists: RevocationLists) throws -> RevocationFinding.Reason? {
            let check = RevocationCheck(lists)
            let reason = check.conclude(try Fixtures.certificate(name))?.reason
            #expect(check.identifiers == [try Fixtures.certificate(name).identifier])
            return reason
        }
        #expect(try reason("good", Fixtures.loaded("root")) == nil)
        #expect(try reason("revoked", Fixtures.loaded("root")) == .revoked)
        let expired = try Fixtures.list("expired").period.end
        #expect(try reason("good", Fixtures.loaded("expired")) == .outdated(expired))
        #expect(RevocationCheck(try Fixtures.loaded("rsa")).conclude(RevocableCertificate?.none)?.reason == .unreadable)
    }
}
#endif

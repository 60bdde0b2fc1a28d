#if Accounts
import Testing

@testable import CurlewTransport

/// The certificates and lists in `Fixtures/revocation`.
enum RevocationFixture {
    static func path(_ name: String) -> String { Fixture.path("revocation/\(name)") }

    /// A file of revocation lists, as a setting.
    static func lists(_ names: String...) -> [TLSSettings.Material] { names.map { .file(self.path("\($0).crl")) } }

    static func pair(_ name: String) -> TLSSettings.Identity {
        TLSSettings.Identity(chain: .file(self.path("\(name).pem")), key: .file(self.path("key.pem")))
    }

    /// The first list of a file.
    static func bytes(_ list: String) throws -> [UInt8] {
        let bytes = try Fixture.bytes("revocation/\(list).crl")
        return try #require(PEM.blocks("X509 CRL", in: bytes)?.first)
    }

    static func list(_ name: String) throws -> RevocationList { try RevocationList(der: self.bytes(name)[...]) }

    static func certificate(_ name: String) throws -> RevocableCertificate {
        let bytes = try Fixture.bytes("revocation/\(name).pem")
        let block = try #require(PEM.blocks("CERTIFICATE", in: bytes)?.first)
        return try #require(RevocableCertificate(der: block))
    }

    /// Loads lists without authorities, as for the system's.
    static func loaded(_ names: String...) throws -> RevocationLists {
        RevocationLists(
            try names.map { RevocationLists.Entry(list: try self.list($0), origin: "file \($0).crl") })
    }

    static func server(_ name: String = "good", _ change: (inout TLSServerSettings) -> Void = { _ in })
        -> TLSServerSettings
    {
        Fixture.server { settings in
            settings.certificate = self.pair(name)
            change(&settings)
        }
    }

    static func client(_ change: (inout TLSSettings) -> Void = { _ in }) -> TLSSettings {
        Fixture.client { settings in
            settings.trustRoots = .file(self.path("root.pem"))
            change(&settings)
        }
    }
}
#endif

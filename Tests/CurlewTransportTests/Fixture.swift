@testable import CurlewTransport

/// The certificates and keys beside the tests (see `Fixtures/README.md`).
enum Fixture {
    static let directory = String(#filePath.dropLast("Fixture.swift".count)) + "Fixtures"

    static let passphrase = "curlew"

    static func path(_ name: String) -> String { "\(self.directory)/\(name)" }

    static func file(_ name: String) -> TLSSettings.Material { .file(self.path(name)) }

    static func pair(_ name: String) -> TLSSettings.Identity {
        TLSSettings.Identity(chain: self.file("\(name).pem"), key: self.file("\(name).key.pem"))
    }

    static func bytes(_ name: String) throws -> [UInt8] { try Files.read(self.path(name)) }

    static func base64(_ bytes: [UInt8]) -> String { Base64.encode(bytes) }

    /// Server settings with the certificate of that name.
    static func server(_ name: String = "server", _ change: (inout TLSServerSettings) -> Void = { _ in })
        -> TLSServerSettings
    {
        var settings = TLSServerSettings(certificate: self.pair(name))
        change(&settings)
        return settings
    }

    /// Client settings that trust the test authority.
    static func client(_ change: (inout TLSSettings) -> Void = { _ in }) -> TLSSettings {
        var settings = TLSSettings()
        settings.trustRoots = .file(self.path("ca.pem"))
        change(&settings)
        return settings
    }
}

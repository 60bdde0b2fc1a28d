#if AWS && Accounts
import Crypto
import Curlew
import Foundation
import SwiftASN1
import X509

/// A certificate authority that exists only for one test.
struct TestAuthority {
    private let key = P256.Signing.PrivateKey()
    private let name: DistinguishedName
    private let certificate: Certificate

    init() throws {
        self.name = try DistinguishedName { CommonName("Curlew test authority") }
        self.certificate = try Self.issue(
            P256.Signing.PublicKey(self.key), to: self.name, by: (self.name, self.key),
            Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
            })
    }

    /// The authority as the only one to trust.
    var trustRoots: TLSSettings.TrustRoots {
        get throws { .certificates(.pem(try self.certificate.serializeAsPEM().pemString)) }
    }

    /// The certificate of the authority in PEM.
    var pem: String { get throws { try self.certificate.serializeAsPEM().pemString } }

    /// A certificate for a server on this machine.
    func serverIdentity() throws -> (chain: String, key: String) {
        try self.identity(
            "localhost",
            Certificate.Extensions {
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth])
                SubjectAlternativeNames([
                    .dnsName("localhost"), .ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1])),
                ])
            })
    }

    /// A certificate for a client.
    func clientIdentity(_ name: String) throws -> (chain: String, key: String) {
        try self.identity(
            name,
            Certificate.Extensions {
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.clientAuth])
            })
    }

    /// A certificate and its key, in PEM.
    private func identity(
        _ name: String, _ extensions: @autoclosure () throws -> Certificate.Extensions
    ) throws -> (chain: String, key: String) {
        let key = P256.Signing.PrivateKey()
        let certificate = try Self.issue(
            P256.Signing.PublicKey(key), to: try DistinguishedName { CommonName(name) }, by: (self.name, self.key),
            extensions())
        return (try certificate.serializeAsPEM().pemString, key.pemRepresentation)
    }

    private static func issue(
        _ key: P256.Signing.PublicKey, to subject: DistinguishedName,
        by issuer: (name: DistinguishedName, key: P256.Signing.PrivateKey), _ extensions: Certificate.Extensions
    ) throws -> Certificate {
        let now = Date.now
        return try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: Certificate.PublicKey(key),
            notValidBefore: now.addingTimeInterval(-3600), notValidAfter: now.addingTimeInterval(24 * 3600),
            issuer: issuer.name, subject: subject, signatureAlgorithm: .ecdsaWithSHA256, extensions: extensions,
            issuerPrivateKey: Certificate.PrivateKey(issuer.key))
    }
}

extension P256.Signing.PublicKey {
    fileprivate init(_ key: P256.Signing.PrivateKey) { self = key.publicKey }
}
#endif

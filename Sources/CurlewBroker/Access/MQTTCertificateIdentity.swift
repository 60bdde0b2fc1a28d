#if Accounts
import CurlewCore
import SwiftASN1
import X509

/// Takes the user name of a client from its certificate, regardless of the user name that it sends.
///
/// The listener must request certificates and name the authorities that it trusts
/// (``MQTTBrokerConfiguration/TLS/clientTrustRoots``). A client without a certificate is left to the next
/// authenticator. A client whose certificate has no usable name is refused with *not authorized*.
public struct MQTTCertificateIdentity: MQTTBrokerAuthenticator, Hashable {
    /// The part of the certificate that becomes the user name.
    private enum Source {
        case commonName, subject
    }

    private let source: Source

    /// The first common name of the certificate's subject; mosquitto's `use_identity_as_username`.
    public static let commonName = Self(source: .commonName)

    /// The whole subject by RFC 2253, such as `CN=kitchen,O=Home,C=DE`, as OpenSSL prints it; mosquitto's
    /// `use_subject_as_username`.
    public static let subject = Self(source: .subject)

    /// Decides by the certificate.
    public func authenticate(_ attempt: MQTTConnectionAttempt) async -> MQTTAuthenticationDecision {
        guard let certificate = attempt.certificate else { return .abstain }
        guard let name = self.username(in: certificate), Self.isUsable(name) else { return .deny(.notAuthorized) }
        return .allowAs(username: name)
    }

    private func username(in certificate: MQTTClientCertificate) -> String? {
        guard let subject = try? Certificate(derEncoded: certificate.der).subject else { return nil }
        switch self.source {
        case .commonName:
            // Like mosquitto, the first one and not the last, most specific one.
            return subject.lazy.joined().first { "\($0.type)" == "2.5.4.3" }.flatMap { String($0.value) }
        case .subject:
            return DistinguishedNameText(subject).text
        }
    }

    /// Whether MQTT could say it: a name with U+0000 in it would read differently in other programs.
    private static func isUsable(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 65_535 && !name.utf8.contains(0)
    }
}
#endif

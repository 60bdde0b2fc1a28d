import NIOSSL

/// BoringSSL's reason for a failure. NIOSSL provides it only in the description of an error.
struct BoringSSLReason: Hashable {
    let name: String

    init(_ name: String) { self.name = name }

    static let verifyFailed = Self("CERTIFICATE_VERIFY_FAILED")
    static let endOfFile = Self("EOF")
    static let unsupportedProtocol = Self("UNSUPPORTED_PROTOCOL")
    static let protocolVersionAlert = Self("TLSV1_ALERT_PROTOCOL_VERSION")
    static let handshakeFailureAlert = Self("SSLV3_ALERT_HANDSHAKE_FAILURE")
    static let illegalParameterAlert = Self("SSLV3_ALERT_ILLEGAL_PARAMETER")
    static let certificateRequired = Self("TLSV1_ALERT_CERTIFICATE_REQUIRED")
    static let certificateUnknown = Self("SSLV3_ALERT_CERTIFICATE_UNKNOWN")
    /// What BoringSSL sends if a revocation check refuses a certificate, besides real internal errors.
    static let internalErrorAlert = Self("TLSV1_ALERT_INTERNAL_ERROR")
    static let noApplicationProtocol = Self("TLSV1_ALERT_NO_APPLICATION_PROTOCOL")
    static let keyUsage = Self("KEY_USAGE_BIT_INCORRECT")
    static let noCertificate = Self("PEER_DID_NOT_RETURN_A_CERTIFICATE")
    static let unknownIdentity = Self("PSK_IDENTITY_NOT_FOUND")
    static let wrongSecret = Self("DECRYPTION_FAILED_OR_BAD_RECORD_MAC")
    static let noSharedCipher = Self("NO_SHARED_CIPHER")
    static let noCommonSignatureAlgorithm = Self("NO_COMMON_SIGNATURE_ALGORITHMS")
    /// Of a PKCS#12 bundle.
    static let severalKeys = Self("MULTIPLE_PRIVATE_KEYS_IN_PKCS12")

    /// BoringSSL's reasons for a certificate whose key it cannot use.
    static let ofUnsupportedKeys: Set<Self> = [
        Self("UNSUPPORTED_ALGORITHM"), Self("UNKNOWN_CERTIFICATE_TYPE"), Self("BAD_ECC_CERT"),
        Self("PEER_ERROR_UNSUPPORTED_CERTIFICATE_TYPE"),
    ]

    /// Whether peers also send it for lack of a better reason.
    var isVague: Bool {
        [
            .certificateUnknown, .handshakeFailureAlert, .internalErrorAlert, Self("TLSV1_ALERT_DECRYPT_ERROR"),
        ].contains(self)
    }

    /// What peers answer to an unknown key or identity.
    static let ofPreSharedKeys: Set<Self> = [
        Self("TLSV1_ALERT_UNKNOWN_PSK_IDENTITY"), Self("SSLV3_ALERT_BAD_RECORD_MAC"),
        Self("TLSV1_ALERT_DECRYPT_ERROR"),
        Self("DECRYPTION_FAILED_OR_BAD_RECORD_MAC"), Self("DIGEST_CHECK_FAILED"), .handshakeFailureAlert,
    ]

    /// What peers before TLS 1.3 answer, after presenting their own certificate, if a client certificate is
    /// missing.
    static let ofMissingCertificates: Set<Self> = [
        .handshakeFailureAlert, Self("SSLV3_ALERT_BAD_CERTIFICATE"), Self("SSLV3_ALERT_NO_CERTIFICATE"),
    ]

    static let ofRejectedCertificates: [Self: String] = [
        Self("SSLV3_ALERT_BAD_CERTIFICATE"): "it is damaged or not suitable for clients",
        Self("SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"): "it is of a kind that the peer does not support",
        Self("SSLV3_ALERT_CERTIFICATE_REVOKED"): "it was revoked",
        Self("SSLV3_ALERT_CERTIFICATE_EXPIRED"): "it has expired",
        .certificateUnknown: "the peer gives no reason",
        Self("TLSV1_ALERT_UNKNOWN_CA"): "the peer does not know the authority that issued it",
        Self("TLSV1_ALERT_ACCESS_DENIED"): "its holder has no access",
        Self("TLSV1_ALERT_DECRYPT_ERROR"): "its signature does not verify",
        .handshakeFailureAlert: "the peer gives no reason",
        .internalErrorAlert: "the peer gives no reason; the certificate may have been revoked",
    ]

    /// How the first bytes of other protocols look to TLS.
    static let ofOtherProtocols: Set<Self> = [
        Self("WRONG_VERSION_NUMBER"), Self("HTTP_REQUEST"), Self("HTTPS_PROXY_REQUEST"),
        Self("INVALID_OUTER_RECORD_TYPE"),
        Self("UNEXPECTED_RECORD"), Self("UNEXPECTED_MESSAGE"), Self("RECORD_TOO_LARGE"),
        Self("ENCRYPTED_LENGTH_TOO_LONG"),
    ]

    static func all(in error: any Error) -> Set<Self> {
        switch error {
        case NIOSSLError.handshakeFailed(let underlying): Self.all(in: underlying)
        case BoringSSLError.sslError(let stack), BoringSSLError.unknownError(let stack):
            Set(
                stack.map { entry in
                    if entry == .eofDuringHandshake { return Self.endOfFile }
                    // "Error: 268435581 error:1000007d:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED …"
                    let fields = entry.description.split(separator: ":", maxSplits: 5)
                    return Self(String(fields.last?.prefix { $0 != " " } ?? ""))
                })
        default: []
        }
    }
}

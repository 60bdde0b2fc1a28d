import NIOSSL

/// Whose certificate it is: the client's or the broker's.
struct CertificateRole: Sendable {
    let certificate: TLSMaterialRole
    let key: TLSMaterialRole
    let passphrase: TLSSetting

    static let client = Self(certificate: .clientCertificate, key: .clientKey, passphrase: .clientKeyPassphrase)
    static let broker = Self(certificate: .brokerCertificate, key: .brokerKey, passphrase: .brokerKeyPassphrase)

    /// The certificates in the order in which TLS sends them, independent of their order in the file.
    func chain(
        of certificates: [NIOSSLCertificate], for key: NIOSSLPrivateKey, in pair: TLSSettings.Identity
    ) throws(TransportError) -> [NIOSSLCertificate] {
        let contents = certificates.map { CertificateContents($0) }
        if let leaf = certificates.firstIndex(where: { $0.suitability(for: key) == .suitable }) {
            return CertificateChain.order(contents, leaf: leaf).map { certificates[$0] }
        }
        let leaf = CertificateChain.likelyLeaf(contents)
        let name: TLSSentence =
            contents[leaf].map { "\($0.subjectName) (\(self.certificate.setting)), \(pair.chain)," }
            ?? "\(pair.chain) (\(self.certificate.setting))"
        switch certificates[leaf].suitability(for: key) {
        case .suitable: return certificates
        case .otherKey:
            throw .invalidConfiguration(
                "The private key (\(self.key.setting)), \(pair.key ?? pair.chain), does not belong to"
                    + " \(certificates.count == 1 ? "the" : "any") certificate in \(pair.chain) (\(self.certificate.setting));"
                    + " give the pair that belongs together.",
                cause: NIOSSLError.failedToLoadPrivateKey)
        case .notLoaded(let error):
            guard let problem = contents[leaf]?.unsuitability else {
                throw .invalidConfiguration("The certificate \(name) cannot be used.", cause: error)
            }
            throw .invalidConfiguration("The certificate \(name) cannot be used: \(problem).", cause: error)
        }
    }
}

extension CertificateContents {
    /// Why BoringSSL does not accept the certificate as our own; `nil` if the reason is unknown.
    fileprivate var unsuitability: String? {
        if !self.key.isSupported {
            return "its key is of a kind that is not supported (\(self.key)); create one that is"
                + " \(KeyAlgorithm.supportedKinds), and request a certificate for it"
        }
        // All supported keys except RSA can only sign.
        if self.key != .rsa, !self.permits(.digitalSignature) {
            return
                "its key usage does not include digitalSignature, without which TLS cannot use a \(self.key) key;"
                + " have it reissued with keyUsage=digitalSignature"
        }
        return nil
    }
}

extension NIOSSLCertificate {
    fileprivate enum Suitability {
        case suitable
        /// The key belongs to another certificate.
        case otherKey
        case notLoaded(any Error)

        static func == (one: Self, other: Self) -> Bool {
            switch (one, other) {
            case (.suitable, .suitable), (.otherKey, .otherKey): true
            default: false
            }
        }
    }

    /// Whether TLS can present the certificate with this key.
    fileprivate func suitability(for key: NIOSSLPrivateKey) -> Suitability {
        var configuration = TLSConfiguration.makePreSharedKeyConfiguration()
        configuration.certificateVerification = .none
        configuration.certificateChain = [.certificate(self)]
        configuration.privateKey = .privateKey(key)
        do {
            _ = try NIOSSLContext(configuration: configuration)
            return .suitable
        } catch NIOSSLError.failedToLoadPrivateKey {
            return .otherKey
        } catch {
            return .notLoaded(error)
        }
    }
}

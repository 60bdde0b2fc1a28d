import CurlewCore
import NIOSSL

extension TLSSettings.Identity {
    /// Loads the certificates, in any order, and the key. The content of the chain tells whether it is a PKCS#12
    /// bundle.
    func load(
        as role: CertificateRole
    ) throws(TransportError) -> (certificates: [NIOSSLCertificate], key: NIOSSLPrivateKey) {
        let bytes = try self.chain.load(as: role.certificate)
        if let bundle = PKCS12Bundle(bytes) {
            // Some programs want the name of a bundle twice.
            guard self.key == nil || self.key == self.chain else {
                throw .invalidConfiguration(
                    "\(role.certificate.subject), \(self.chain), is a PKCS#12 bundle, which contains its private key;"
                        + " leave out \(role.key.setting).")
            }
            return try self.open(bundle, as: role)
        }
        guard self.key != nil || bytes.holdsPrivateKey else {
            // Reports content that is no certificate first.
            _ = try self.chain.certificates(in: bytes, as: role.certificate)
            throw .invalidConfiguration(
                "\(role.certificate.subject), \(self.chain), has no private key; set \(role.key.setting) as well, or give"
                    + " a PKCS#12 bundle with both.")
        }
        let certificates = try self.chain.certificates(in: bytes, as: role.certificate)
        let key = try (self.key ?? self.chain).privateKey(
            as: role.key, passphrase: self.passphrase?.value, passphraseSetting: role.passphrase)
        return (certificates, key)
    }

    private func open(
        _ bundle: PKCS12Bundle, as role: CertificateRole
    ) throws(TransportError) -> (certificates: [NIOSSLCertificate], key: NIOSSLPrivateKey) {
        try TLSSettings.Material.check(self.passphrase?.value, role.passphrase)
        do throws(PKCS12Bundle.Problem) {
            let (key, certificates) = try bundle.open(passphrase: self.passphrase?.value)
            return (certificates, key)
        } catch {
            throw .invalidConfiguration(
                "\(role.certificate.subject), \(self.chain), \(self.sentence(about: error, role))", cause: error)
        }
    }

    /// The end of a sentence.
    private func sentence(about problem: PKCS12Bundle.Problem, _ role: CertificateRole) -> TLSSentence {
        switch problem {
        case .damaged: "is a damaged PKCS#12 bundle; export it again."
        case .signed: "is a PKCS#12 bundle that a public key protects; export it with a passphrase instead."
        case .noKey: "is a PKCS#12 bundle without a private key; export it together with its key."
        case .severalKeys: "is a PKCS#12 bundle with several private keys; export only one of them."
        case .noCertificate: "is a PKCS#12 bundle without a certificate; export it together with its certificate."
        case .unsupportedEncryption:
            "is a PKCS#12 bundle with an encryption that is not supported; convert it with"
                + " `openssl pkcs12 -legacy -nodes -in old.p12 | openssl pkcs12 -export -out new.p12`."
        case .notDecrypted where self.passphrase == nil:
            "is an encrypted PKCS#12 bundle; set \(role.passphrase)."
        case .notDecrypted: "is a PKCS#12 bundle that cannot be decrypted; is \(role.passphrase) right?"
        case .unsupportedKey(let kind?):
            "is a PKCS#12 bundle whose private key is of a kind that is not supported (\(kind)); make one that is"
                + " \(KeyAlgorithm.supportedKinds)."
        case .unsupportedKey(nil):
            "is a PKCS#12 bundle whose private key is damaged or of a kind that is not supported; make one that is"
                + " \(KeyAlgorithm.supportedKinds)."
        }
    }
}

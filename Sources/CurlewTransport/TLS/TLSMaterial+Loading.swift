import CurlewCore
import NIOSSL

/// The role of certificates or a key: the beginning of error messages about them.
struct TLSMaterialRole: Sendable {
    fileprivate let noun: String
    let setting: TLSSetting

    /// "The client certificate (tls.clientCertificate.chain)".
    var subject: TLSSentence { "\(self.noun) (\(self.setting))" }

    static let trustedAuthorities = Self(noun: "The trusted authorities", setting: .trustRoots)
    static let clientCertificate = Self(noun: "The client certificate", setting: .clientCertificate)
    static let clientKey = Self(noun: "The client's private key", setting: .clientKey)
    static let brokerCertificate = Self(noun: "The broker's certificate", setting: .brokerCertificate)
    static let brokerKey = Self(noun: "The broker's private key", setting: .brokerKey)
    static let clientTrustRoots = Self(noun: "The authorities trusted for clients", setting: .clientTrustRoots)
    static let revocationLists = Self(noun: "The revocation list", setting: .revocationLists)
    static let clientRevocationLists = Self(noun: "The revocation list", setting: .clientRevocationLists)
    static let chainAuthorities = Self(noun: "The authorities", setting: .chainAuthorities)
}

// Converts the user's settings for NIOSSL. Each mistake becomes an error message that names the setting.
extension TLSSettings.Material {
    /// The bytes, in PEM or DER.
    func load(as role: TLSMaterialRole) throws(TransportError) -> [UInt8] {
        let bytes: [UInt8]
        switch self.source {
        case .file(let path):
            do {
                bytes = try Files.read(path)
            } catch {
                throw .invalidConfiguration("\(role.subject) cannot be read from \(path): \(error.reason).")
            }
        case .bytes(let given):
            bytes = given.value
        case .base64(let text):
            guard let decoded = Base64.decode(text.value) else {
                throw .invalidConfiguration(
                    "\(role.subject) is not valid Base64; encode the PEM or DER file with `base64`.")
            }
            bytes = decoded
        }
        guard !bytes.isEmpty else { throw .invalidConfiguration("\(role.subject), \(self), is empty.") }
        return bytes.withoutByteOrderMark
    }

    func certificates(as role: TLSMaterialRole) throws(TransportError) -> [NIOSSLCertificate] {
        try self.certificates(in: self.load(as: role), as: role)
    }

    /// - Parameter bytes: Those of this material.
    func certificates(in bytes: [UInt8], as role: TLSMaterialRole) throws(TransportError) -> [NIOSSLCertificate] {
        do {
            return try NIOSSLCertificate.parse(bytes)
        } catch {
            let problem =
                if bytes.holdsPrivateKey, !bytes.contains(text: "-----BEGIN CERTIFICATE") {
                    "holds a private key instead of a certificate."
                } else if PKCS12Bundle(bytes) != nil {
                    "is a PKCS#12 bundle; give certificates in PEM, as `openssl pkcs12 -nokeys` writes them."
                } else {
                    "is not a certificate in PEM or DER form."
                }
            throw .invalidConfiguration("\(role.subject), \(self), \(problem)", cause: error)
        }
    }

    /// - Parameter passphraseSetting: The setting for the passphrase, for error messages.
    func privateKey(
        as role: TLSMaterialRole, passphrase: String?, passphraseSetting: TLSSetting
    ) throws(TransportError) -> NIOSSLPrivateKey {
        let bytes = try self.load(as: role)
        try Self.check(passphrase, passphraseSetting)
        let isPEM = bytes.contains(text: "-----BEGIN ")
        let isEncrypted = isPEM ? bytes.contains(text: "ENCRYPTED") : bytes.isEncryptedPKCS8
        if isEncrypted, passphrase == nil {
            throw .invalidConfiguration(
                "\(role.subject), \(self), is encrypted; set \(passphraseSetting), or decrypt it with `openssl pkey`.")
        }
        do {
            if isPEM { return try NIOSSLPrivateKey(pem: bytes, passphrase: passphrase ?? "") }
            if let key = try? NIOSSLPrivateKey(bytes: bytes, format: .der) { return key }
            return try NIOSSLPrivateKey(encryptedPKCS8: bytes, passphrase: passphrase ?? "")
        } catch {
            let problem: TLSSentence =
                if isPEM, isEncrypted {
                    "cannot be decrypted; is \(passphraseSetting) right?"
                } else if PKCS12Bundle(bytes) != nil {
                    "is a PKCS#12 bundle; give it as the certificate, without a key."
                } else if let kind = KeyAlgorithm(privateKey: bytes), !kind.isSupported {
                    "is of a kind that is not supported (\(kind)); make one that is \(KeyAlgorithm.supportedKinds)."
                } else if passphrase != nil, !isPEM {
                    "is not a private key in PEM or DER form, or the passphrase is wrong (\(passphraseSetting))."
                } else if bytes.contains(text: "BEGIN CERTIFICATE"), !bytes.holdsPrivateKey {
                    "holds a certificate instead of a private key."
                } else {
                    "is not a private key in PEM or DER form."
                }
            throw .invalidConfiguration("\(role.subject), \(self), \(problem)", cause: error)
        }
    }

    /// NIOSSL traps on a passphrase outside ASCII.
    static func check(_ passphrase: String?, _ setting: TLSSetting) throws(TransportError) {
        guard let passphrase, !passphrase.utf8.allSatisfy({ $0 < 0x80 }) else { return }
        throw .invalidConfiguration(
            "The passphrase of the private key (\(setting)) has characters outside ASCII; encrypt the key with a different one."
        )
    }
}

extension TLSSettings.TrustRoots {
    func load(as role: TLSMaterialRole) throws(TransportError) -> NIOSSLTrustRoots {
        try self.certificates(as: role).map { .certificates($0) } ?? .default
    }

    /// The certificates, or `nil` for those of the system.
    func certificates(as role: TLSMaterialRole) throws(TransportError) -> [NIOSSLCertificate]? {
        switch self.source {
        case .system:
            return nil
        case .directory(let path):
            return try Self.certificates(inDirectory: path, as: role)
        case .certificates(let material):
            if case .file(let path) = material.source, Files.isDirectory(path) {
                return try Self.certificates(inDirectory: path, as: role)
            }
            return try material.certificates(as: role)
        }
    }

    /// Reads all certificates, so that the directory needs no links named by hash, as OpenSSL does, and the event loop
    /// never reads a file during a handshake.
    private static func certificates(
        inDirectory path: String, as role: TLSMaterialRole
    ) throws(TransportError) -> [NIOSSLCertificate] {
        let files: [String]
        do {
            files = try Files.list(path)
        } catch {
            throw .invalidConfiguration("\(role.subject) cannot be read from \(path): \(error.reason).")
        }
        var seen: Set<NIOSSLCertificate> = []
        var certificates: [NIOSSLCertificate] = []
        for file in files {
            guard let bytes = try? Files.read(file).withoutByteOrderMark,
                let found = try? NIOSSLCertificate.parse(bytes)
            else { continue }
            certificates += found.filter { seen.insert($0).inserted }
        }
        guard !certificates.isEmpty else {
            throw .invalidConfiguration(
                "\(role.subject): the directory \(path) has no file with a certificate in PEM or DER form.")
        }
        return certificates
    }
}

extension TransportError {
    static func invalidConfiguration(_ sentence: TLSSentence, cause: (any Error)? = nil) -> Self {
        Self(.invalidConfiguration, sentence: sentence, cause: cause)
    }
}

extension NIOSSLCertificate {
    fileprivate static func parse(_ bytes: [UInt8]) throws -> [NIOSSLCertificate] {
        guard !bytes.isEmpty else { throw NIOSSLError.failedToLoadCertificate }
        if bytes.contains(text: "-----BEGIN ") { return try NIOSSLCertificate.fromPEMBytes(bytes) }
        return [try NIOSSLCertificate(bytes: bytes, format: .der)]
    }
}

extension NIOSSLPrivateKey {
    /// Decrypts PKCS#8 in DER. BoringSSL decrypts it only in PEM.
    convenience init(encryptedPKCS8 bytes: [UInt8], passphrase: String) throws {
        let armored =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\n\(Base64.encode(bytes).inLines(of: 64))"
            + "-----END ENCRYPTED PRIVATE KEY-----\n"
        try self.init(pem: Array(armored.utf8), passphrase: passphrase)
    }

    fileprivate convenience init(pem bytes: [UInt8], passphrase: String) throws {
        try self.init(bytes: bytes, format: .pem) { setPassphrase in setPassphrase(passphrase.utf8) }
    }
}

extension [UInt8] {
    /// Removes the byte order mark that some editors put before UTF-8, which PEM does not allow.
    fileprivate var withoutByteOrderMark: [UInt8] {
        self.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(self.dropFirst(3)) : self
    }

    /// Whether the text in PEM has a private key, encrypted or not.
    var holdsPrivateKey: Bool { self.contains(text: "PRIVATE KEY-----") }

    /// Whether it is PKCS#8 in DER, encrypted (RFC 5958 section 3).
    fileprivate var isEncryptedPKCS8: Bool {
        var outer = DERReader(self[...])
        guard var fields = outer.next(DERReader.Tag.sequence)?.elements,
            var algorithm = fields.next(DERReader.Tag.sequence)?.elements
        else { return false }
        // A certificate also begins with a sequence, but no name of an algorithm is its first field.
        return algorithm.next(DERReader.Tag.objectIdentifier) != nil && fields.next(DERReader.Tag.octetString) != nil
    }

    fileprivate func contains(text: StaticString) -> Bool {
        text.withUTF8Buffer { text in
            self.indices.contains { self[$0...].starts(with: text) }
        }
    }
}

extension String {
    fileprivate func inLines(of length: Int) -> String {
        var lines = ""
        var rest = self[...]
        while !rest.isEmpty {
            lines += rest.prefix(length) + "\n"
            rest = rest.dropFirst(length)
        }
        return lines
    }
}

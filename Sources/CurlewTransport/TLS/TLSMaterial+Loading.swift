import NIOSSL

// Turning what the user gave into what NIOSSL takes; each mistake becomes one sentence that names the place.
extension TLSSettings.Material {
    /// The bytes, whether PEM or DER.
    ///
    /// - Parameter role: What the material is, to begin a sentence with: "The client certificate".
    func load(as role: String) throws(TransportError) -> [UInt8] {
        let bytes: [UInt8]
        switch self.source {
        case .file(let path):
            do {
                bytes = try Files.read(path)
            } catch {
                throw .invalidConfiguration("\(role) cannot be read from \(path): \(error.reason).")
            }
        case .bytes(let given):
            bytes = given.value
        case .base64(let text):
            guard let decoded = Base64.decode(text.value) else {
                throw .invalidConfiguration("\(role) is not valid Base64; encode the PEM or DER file with `base64`.")
            }
            bytes = decoded
        }
        guard !bytes.isEmpty else { throw .invalidConfiguration("\(role) (\(self)) is empty.") }
        return bytes
    }

    func certificates(as role: String) throws(TransportError) -> [NIOSSLCertificate] {
        let bytes = try self.load(as: role)
        do {
            return try NIOSSLCertificate.parse(bytes)
        } catch {
            throw .invalidConfiguration(
                "\(role) (\(self)) is not a certificate in PEM or DER form"
                    + (bytes.contains(text: "PRIVATE KEY-----") ? "; it holds a private key." : "."),
                cause: error)
        }
    }

    func privateKey(as role: String, passphrase: String?) throws(TransportError) -> NIOSSLPrivateKey {
        let bytes = try self.load(as: role)
        // NIOSSL would trap on it.
        if let passphrase, !passphrase.utf8.allSatisfy({ $0 < 0x80 }) {
            throw .invalidConfiguration(
                "The passphrase of the private key has characters outside ASCII; re-encrypt it.")
        }
        let isPEM = bytes.contains(text: "-----BEGIN ")
        let isEncrypted = bytes.contains(text: "ENCRYPTED")
        if isPEM, isEncrypted, passphrase == nil {
            throw .invalidConfiguration("\(role) (\(self)) is encrypted; set its passphrase.")
        }
        do {
            if isPEM { return try NIOSSLPrivateKey(pem: bytes, passphrase: passphrase ?? "") }
            if let key = try? NIOSSLPrivateKey(bytes: bytes, format: .der) { return key }
            // BoringSSL decrypts PKCS#8 in PEM only.
            let armored =
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\n\(Base64.encode(bytes).inLines(of: 64))"
                + "-----END ENCRYPTED PRIVATE KEY-----\n"
            return try NIOSSLPrivateKey(pem: Array(armored.utf8), passphrase: passphrase ?? "")
        } catch {
            let problem =
                if isPEM, isEncrypted {
                    "cannot be decrypted; is the passphrase right?"
                } else if passphrase != nil, !isPEM {
                    "is not a private key in PEM or DER form, or the passphrase is wrong."
                } else {
                    "is not a private key in PEM or DER form"
                        + (bytes.contains(text: "BEGIN CERTIFICATE") ? "; it holds a certificate." : ".")
                }
            throw .invalidConfiguration("\(role) (\(self)) \(problem)", cause: error)
        }
    }
}

extension TLSSettings.TrustRoots {
    func load(as role: String) throws(TransportError) -> NIOSSLTrustRoots {
        switch self.source {
        case .system:
            return .default
        case .directory(let path):
            return .certificates(try Self.certificates(inDirectory: path, as: role))
        case .certificates(let material):
            if case .file(let path) = material.source, Files.isDirectory(path) {
                return .certificates(try Self.certificates(inDirectory: path, as: role))
            }
            return .certificates(try material.certificates(as: role))
        }
    }

    /// All there are, so that the directory needs no links named by hash, as OpenSSL wants them, and the event loop never has to
    /// read a file in the middle of a handshake.
    private static func certificates(
        inDirectory path: String, as role: String
    ) throws(TransportError) -> [NIOSSLCertificate] {
        let files: [String]
        do {
            files = try Files.list(path)
        } catch {
            throw .invalidConfiguration("\(role) cannot be read from \(path): \(error.reason).")
        }
        var seen: Set<NIOSSLCertificate> = []
        var certificates: [NIOSSLCertificate] = []
        for file in files {
            guard let bytes = try? Files.read(file), let found = try? NIOSSLCertificate.parse(bytes) else { continue }
            certificates += found.filter { seen.insert($0).inserted }
        }
        guard !certificates.isEmpty else {
            throw .invalidConfiguration(
                "\(role): the directory \(path) has no file with a certificate in PEM or DER form.")
        }
        return certificates
    }
}

extension TransportError {
    static func invalidConfiguration(_ message: String, cause: (any Error)? = nil) -> Self {
        Self(code: .invalidConfiguration, message: message, cause: cause)
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
    fileprivate convenience init(pem bytes: [UInt8], passphrase: String) throws {
        try self.init(bytes: bytes, format: .pem) { setPassphrase in setPassphrase(passphrase.utf8) }
    }
}

extension [UInt8] {
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

import NIOSSL
import Testing

@testable import CurlewTransport

@Suite("PKCS#12 bundles")
struct PKCS12Tests {
    private typealias Problem = PKCS12Bundle.Problem

    private static func identity(_ name: String, _ passphrase: String?) -> TLSSettings.Identity {
        .pkcs12(Fixture.file(name), passphrase: passphrase)
    }

    private func load(_ bytes: [UInt8], passphrase: String? = nil) throws -> [String] {
        let (certificates, _) = try TLSSettings.Identity.pkcs12(.bytes(bytes), passphrase: passphrase).load(as: .client)
        return certificates.compactMap { CertificateContents($0)?.subjectName }
    }

    // MARK: Bundles that programs write

    @Test(
        "A bundle contains certificate and key, whatever its encryption",
        arguments: [
            ("client.p12", Fixture.passphrase), ("client.rc2-40.p12", Fixture.passphrase), ("client.empty.p12", nil),
            ("client.empty.p12", ""),
        ])
    func bundles(name: String, passphrase: String?) throws {
        let (certificates, key) = try Self.identity(name, passphrase).load(as: .client)
        #expect(try certificates == NIOSSLCertificate.fromPEMBytes(Fixture.bytes("client.pem")))
        #expect(try key == NIOSSLPrivateKey(bytes: Fixture.bytes("client.key.pem"), format: .pem))
    }

    @Test("What NIOSSL writes can be read, with all certificates")
    func written() throws {
        let names = ["chained", "intermediate-2", "intermediate-1"]
        let chain = try names.flatMap { try NIOSSLCertificate.fromPEMBytes(Fixture.bytes("matrix/\($0).pem")) }
        let key = try NIOSSLPrivateKey(bytes: Fixture.bytes("matrix/P-256.key.pem"), format: .pem)
        let bytes = try NIOSSLPKCS12Bundle(certificateChain: chain, privateKey: key)
            .serialize(passphrase: Array("secret".utf8))
        let loaded = try TLSSettings.Identity.pkcs12(.bytes(bytes), passphrase: "secret").load(as: .broker)
        #expect(Set(loaded.certificates) == Set(chain))
        #expect(loaded.certificates.count == chain.count)
        #expect(loaded.key == key)
    }

    @Test("A bundle may be bytes or Base64, and some programs give its name twice")
    func sources() throws {
        let bytes = try Fixture.bytes("client.p12")
        let bundle = Fixture.file("client.p12")
        for identity in [
            TLSSettings.Identity(chain: .bytes(bytes), passphrase: Fixture.passphrase),
            TLSSettings.Identity(chain: .base64(Fixture.base64(bytes)), passphrase: Fixture.passphrase),
            TLSSettings.Identity(chain: bundle, key: bundle, passphrase: Fixture.passphrase),
        ] {
            #expect(try identity.load(as: .client).certificates.count == 1)
        }
    }

    @Test("A PEM file may contain certificate and key, in any order")
    func combinedPEM() throws {
        let (chain, key) = (try Fixture.bytes("client.pem"), try Fixture.bytes("client.key.pem"))
        for bytes in [chain + key, key + chain] {
            let identity = TLSSettings.Identity(chain: .bytes(bytes))
            #expect(try identity.load(as: .client).certificates.count == 1)
            _ = try SocketConnector(tls: Fixture.client { $0.clientCertificate = identity })
        }
    }

    // MARK: Mistakes

    @Test(
        "A bundle that cannot be used is reported in one sentence",
        arguments: [
            ("client.p12", "wrong", "cannot be decrypted; is the passphrase of tls.clientCertificate right?"),
            ("client.rc2-40.p12", "wrong", "cannot be decrypted; is the passphrase of tls.clientCertificate right?"),
            ("client.empty.p12", "wrong", "cannot be decrypted; is the passphrase of tls.clientCertificate right?"),
            ("client.p12", nil, "is an encrypted PKCS#12 bundle; set the passphrase of tls.clientCertificate."),
            ("client.p12", "brachvögel", "has characters outside ASCII"),
            ("client.rc2-128.p12", Fixture.passphrase, "convert it with `openssl pkcs12 -legacy"),
            ("certificate.p12", Fixture.passphrase, "is a PKCS#12 bundle without a private key"),
        ])
    func mistakes(name: String, passphrase: String?, text: String) throws {
        let settings = Fixture.client { $0.clientCertificate = Self.identity(name, passphrase) }
        let error = try #require(throws: TransportError.self) { try SocketConnector(tls: settings) }
        #expect(error.code == .invalidConfiguration)
        #expect(error.message.contains(text), "\(error)")
        #expect(!error.message.contains(Fixture.passphrase) || name == "client.rc2-128.p12", "\(error)")
        // The message about the passphrase names no file.
        #expect(error.message.contains(name) || text.contains("ASCII"), "\(error)")
    }

    @Test("A certificate without a key names both ways to give one")
    func noKey() throws {
        let identity = TLSSettings.Identity(chain: Fixture.file("client.pem"))
        let error = #expect(throws: TransportError.self) { try identity.load(as: .client) }
        let message = try #require(error?.message)
        for text in ["client.pem", "has no private key", "tls.clientCertificate.key", "PKCS#12"] {
            #expect(message.contains(text), "\(message)")
        }
    }

    @Test("A bundle in the place of something else is recognized")
    func misplaced() throws {
        let asRoots = Fixture.client { $0.trustRoots = .file(Fixture.path("client.p12")) }
        let roots = try #require(throws: TransportError.self) { try SocketConnector(tls: asRoots) }
        #expect(roots.message.contains("is a PKCS#12 bundle; give certificates in PEM"), "\(roots)")
        let asKey = TLSSettings.Identity(chain: Fixture.file("client.pem"), key: Fixture.file("client.p12"))
        let key = try #require(throws: TransportError.self) { try asKey.load(as: .client) }
        #expect(key.message.contains("is a PKCS#12 bundle; give it as the certificate"), "\(key)")
        let both = TLSSettings.Identity(chain: Fixture.file("client.p12"), key: Fixture.file("client.key.pem"))
        let extra = try #require(throws: TransportError.self) { try both.load(as: .client) }
        #expect(extra.message.contains("leave out tls.clientCertificate.key"), "\(extra)")
        for name in ["client.pem", "client.der", "client.key.der", "client.key.pem", "client.encrypted.key.der"] {
            #expect(try PKCS12Bundle(Fixture.bytes(name)) == nil, "\(name)")
        }
    }

    // MARK: Bundles made here

    /// A bundle without encryption and checksum.
    private static func bundle(_ parts: [UInt8]...) -> [UInt8] {
        let safe = DER.element(DERReader.Tag.sequence, parts.flatMap { $0 })
        return DER.element(
            DERReader.Tag.sequence, DER.element(DERReader.Tag.integer, [3]),
            DER.element(
                DERReader.Tag.sequence, DER.element(DERReader.Tag.objectIdentifier, PKCS12Bundle.Part.data),
                DER.element(DERReader.Tag.context(0), DER.element(DERReader.Tag.octetString, safe))))
    }

    private static func part(_ bags: [UInt8]...) throws -> [UInt8] {
        try #require(PKCS12Bundle.Part(bags: bags)).encoding
    }

    private static func bag(_ kind: UInt8, _ value: [UInt8]) -> [UInt8] {
        let name: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x0C, 0x0A, 0x01, kind]
        return DER.element(
            DERReader.Tag.sequence, DER.element(DERReader.Tag.objectIdentifier, name),
            DER.element(DERReader.Tag.context(0), value))
    }

    private static func keyBag() throws -> [UInt8] { try Self.bag(1, Fixture.bytes("client.key.der")) }

    private static func certificateBag(_ certificate: [UInt8]) -> [UInt8] {
        let kind: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x16, 0x01]
        return Self.bag(
            3,
            DER.element(
                DERReader.Tag.sequence, DER.element(DERReader.Tag.objectIdentifier, kind),
                DER.element(DERReader.Tag.context(0), DER.element(DERReader.Tag.octetString, certificate))))
    }

    @Test("Key and certificate may be in one part or in two, and need no checksum")
    func parts() throws {
        let (key, certificate) = (try Self.keyBag(), Self.certificateBag(try Fixture.bytes("client.der")))
        #expect(try self.load(Self.bundle(Self.part(key, certificate))) == ["\"client\""])
        #expect(try self.load(Self.bundle(Self.part(certificate), Self.part(key))) == ["\"client\""])
    }

    @Test("A bundle whose parts do not belong together ends in an error, not in a crash")
    func incomplete() throws {
        let (key, certificate) = (try Self.keyBag(), Self.certificateBag(try Fixture.bytes("client.der")))
        for (bundle, text) in [
            (Self.bundle(try Self.part(certificate)), "without a private key"),
            (Self.bundle(try Self.part(key)), "without a certificate"),
            (Self.bundle(try Self.part(key, key, certificate)), "several private keys"),
            (Self.bundle(try Self.part(key, Self.certificateBag([1, 2, 3]))), "damaged"),
            (Self.bundle([0x30, 0x00]), "damaged"),
            (Self.bundle(), "without a private key"),
        ] {
            let error = try #require(throws: TransportError.self) { try self.load(bundle) }
            #expect(error.message.contains(text), "\(error)")
        }
        // The certificate of somebody else.
        let pem = String(decoding: try Fixture.bytes("server.pem"), as: UTF8.self)
        let body = pem.split(separator: "\n").filter { !$0.hasPrefix("-----") }.joined()
        let other = Self.certificateBag(try #require(Base64.decode(body)))
        let settings = Fixture.client { settings in
            settings.clientCertificate = (try? Self.part(key, other)).map { .pkcs12(.bytes(Self.bundle($0))) }
        }
        let error = try #require(throws: TransportError.self) { try SocketConnector(tls: settings) }
        #expect(error.message.contains("does not belong to"), "\(error)")
    }

    @Test("A bundle in BER, with indefinite lengths and octets in parts, is read")
    func indefinite() throws {
        let (key, certificate) = (try Self.keyBag(), Self.certificateBag(try Fixture.bytes("client.der")))
        let definite = Self.bundle(try Self.part(certificate), try Self.part(key))
        let indefinite = try #require(Self.indefinite(definite[...]))
        #expect(indefinite != definite && indefinite.starts(with: [0x30, 0x80]))
        #expect(DER.normalized(indefinite[...]) == definite)
        #expect(try self.load(indefinite) == ["\"client\""])
    }

    /// The same elements with indefinite lengths, and octet strings in two parts.
    private static func indefinite(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        var reader = DERReader(bytes)
        var result: [UInt8] = []
        while !reader.isAtEnd {
            guard let element = reader.next() else { return nil }
            if element.tag == DERReader.Tag.octetString {
                let half = element.content.count / 2
                result += [0x24, 0x80]
                result += DER.element(DERReader.Tag.octetString, Array(element.content.prefix(half)))
                result += DER.element(DERReader.Tag.octetString, Array(element.content.dropFirst(half))) + [0, 0]
            } else if element.tag & 0x20 != 0 {
                guard let inner = Self.indefinite(element.content) else { return nil }
                result += [element.tag, 0x80] + inner + [0, 0]
            } else {
                result += element.encoding
            }
        }
        return result
    }

    @Test("Truncated and corrupted bundles are refused or read, but never crash")
    func hostile() throws {
        let (key, certificate) = (try Self.keyBag(), Self.certificateBag(try Fixture.bytes("client.der")))
        let bundle = Self.bundle(try Self.part(certificate), try Self.part(key))
        var refused = 0
        func open(_ bytes: [UInt8]) {
            do { _ = try self.load(bytes) } catch { refused += 1 }
        }
        for index in bundle.indices { open(Array(bundle.prefix(index))) }
        #expect(refused == bundle.count)
        // Steps, because the tests that run at the same time have little patience.
        for index in stride(from: 0, to: bundle.count, by: 3) {
            var bytes = bundle
            bytes[index] = [0x00, 0x80, 0xFF][index / 3 % 3]
            open(bytes)
        }
        #expect(refused > bundle.count)
        open([UInt8](repeating: 0x30, count: 10_000))
        open(Array(repeatElement([0x30, 0x80], count: 10_000).joined()))
    }

    // MARK: The hash

    @Test("SHA-256 and HMAC match the examples of FIPS 180-4 and RFC 4231")
    func hash() {
        func hexadecimal(_ bytes: [UInt8]) -> String {
            bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
        #expect(
            hexadecimal(BundleChecksum.hash([])) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            hexadecimal(BundleChecksum.hash(Array("abc".utf8)))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            hexadecimal(BundleChecksum.hash(Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8)))
                == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        #expect(
            hexadecimal(
                BundleChecksum.authenticationCode(
                    of: Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8)))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }
}

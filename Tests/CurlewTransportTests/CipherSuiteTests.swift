import Testing

@testable import CurlewTransport

@Suite("Cipher suites")
struct CipherSuiteTests {
    @Test(
        "An expression of OpenSSL is refused, with names to write instead",
        arguments: [
            ("HIGH", "ECDHE-ECDSA-AES128-GCM-SHA256, ECDHE-RSA-AES128-GCM-SHA256, ECDHE-RSA-CHACHA20-POLY1305."),
            ("!aNULL", "ECDHE-ECDSA-AES128-GCM-SHA256"), ("-RC4", "ECDHE-ECDSA-AES128-GCM-SHA256"),
            ("+SHA", "ECDHE-ECDSA-AES128-SHA"), ("DEFAULT@SECLEVEL=1", "ECDHE-ECDSA-AES128-GCM-SHA256"),
            ("@STRENGTH", "ECDHE-ECDSA-AES128-GCM-SHA256"), ("ALL", "ECDHE-ECDSA-AES128-GCM-SHA256"),
            ("!ADH", "ECDHE-ECDSA-AES128-GCM-SHA256"), ("PROFILE=SYSTEM", "ECDHE-ECDSA-AES128-GCM-SHA256"),
            (
                "ECDHE+AESGCM",
                "ECDHE-ECDSA-AES128-GCM-SHA256, ECDHE-RSA-AES128-GCM-SHA256, ECDHE-ECDSA-AES256-GCM-SHA384."
            ),
            ("AES256", "ECDHE-ECDSA-AES256-GCM-SHA384"), ("ECDHE+CHACHA20", "ECDHE-RSA-CHACHA20-POLY1305"),
            ("kRSA+AESGCM", "AES128-GCM-SHA256, AES256-GCM-SHA384."), ("!", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        ])
    func expressions(expression: String, names: String) throws {
        let settings = Fixture.client { $0.cipherSuites = ["AES128-SHA", expression] }
        let error = try #require(throws: TransportError.self) { try SocketConnector(tls: settings) }
        #expect(error.code == .invalidConfiguration)
        #expect(
            error.message.hasPrefix("\"\(expression)\" (tls.cipherSuites) is an expression of OpenSSL"), "\(error)")
        #expect(error.message.contains("for example \(names)") || error.message.contains(", \(names)"), "\(error)")
    }

    @Test("All names that an error suggests can be used")
    func suggestions() throws {
        for expression in ["HIGH", "ECDHE+AESGCM", "kRSA", "SHA384", "aECDSA+AES", "3DES", "!MD5"] {
            let suggested = try #require(CipherExpression(expression)).suitableNames(of: CipherSuites.names)
            #expect((1...3).contains(suggested.count))
            for name in suggested { #expect(CipherSuites.objection(to: name) == nil, "\(name)") }
        }
        for name in CipherSuites.names { #expect(CipherExpression(name) == nil, "\(name)") }
    }

    @Test("A list as in OpenSSL is accepted, and its bad part is named")
    func lists() throws {
        let list = "ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA, AES256-SHA"
        #expect(try CipherSuites.named([list], setting: .cipherSuites).count == 3)
        let error = try #require(throws: TransportError.self) {
            try CipherSuites.named(["AES128-SHA:HIGH:!aNULL"], setting: .brokerCipherSuites)
        }
        #expect(error.message.hasPrefix("\"HIGH\" (tls.cipherSuites)"), "\(error)")
        for empty in ["", ":", " "] {
            let error = try #require(throws: TransportError.self) {
                try CipherSuites.named([empty], setting: .cipherSuites)
            }
            #expect(error.message.contains("names none"), "\(error)")
        }
    }

    @Test("Cipher suites of TLS 1.3 and unknown names are told apart from expressions")
    func others() throws {
        #expect(CipherSuites.objection(to: "TLS_AES_128_GCM_SHA256")?.contains("of TLS 1.3") == true)
        #expect(CipherSuites.objection(to: "TLS_CHACHA20_POLY1305_SHA256")?.contains("of TLS 1.3") == true)
        let unknown = try #require(CipherSuites.objection(to: "DHE-RSA-AES128-SHA"))
        #expect(unknown.contains("is not an available cipher suite; choose from AES128-GCM-SHA256"), "\(unknown)")
    }
}

#if Accounts
import CurlewTransport
import Testing

@testable import CurlewBroker

/// User names from certificates. The expected subjects are the output of `openssl x509 -subject -nameopt RFC2253`.
@Suite struct CertificateIdentityTests {
    private static func attempt(_ text: String) throws -> MQTTConnectionAttempt {
        let der = try #require(Base64.decode(text))
        return MQTTConnectionAttempt(
            client: MQTTBrokerClient(identifier: "c", username: "mallory"),
            certificate: MQTTClientCertificate(der: der))
    }

    @Test("The first common name replaces the user name that the client gives")
    func commonName() async throws {
        let identity = MQTTCertificateIdentity.commonName
        #expect(try await identity.authenticate(Self.attempt(Self.manifold)) == .allowAs(username: "kitchen"))
        #expect(try await identity.authenticate(Self.attempt(Self.several)) == .allowAs(username: "one"))
    }

    @Test("The subject is formatted as OpenSSL formats it")
    func subject() async throws {
        let identity = MQTTCertificateIdentity.subject
        #expect(
            try await identity.authenticate(Self.attempt(Self.manifold))
                == .allowAs(
                    username: ##"""
                        2.3.4=#0C036F6464,title=Dr,DC=example,UID=u1,serialNumber=0815,emailAddress=a@b.de,CN=kitchen,OU=Gr\C3\B6\C3\9Fe,OU=\#hash #2,O=A quoted \\\\ \<x\>\;=,L=\ lead\+trail,ST=Bav\,aria,C=DE
                        """##))
        #expect(
            try await identity.authenticate(Self.attempt(Self.several))
                == .allowAs(username: "CN=last,UID=two+OU=three+CN=one,O=x,C=DE"))
        #expect(try await identity.authenticate(Self.attempt(Self.nameless)) == .allowAs(username: "O=nameless"))
    }

    @Test("No decision for a client without a certificate; a certificate without a usable name is refused")
    func useless() async throws {
        let none = MQTTConnectionAttempt(client: MQTTBrokerClient(identifier: "c", username: "u"))
        for identity in [MQTTCertificateIdentity.commonName, .subject] {
            #expect(await identity.authenticate(none) == .abstain)
            #expect(try await identity.authenticate(Self.attempt("AAEC")) == .deny(.notAuthorized))
        }
        let nameless = try Self.attempt(Self.nameless)
        #expect(await MQTTCertificateIdentity.commonName.authenticate(nameless) == .deny(.notAuthorized))
    }

    // Made with `openssl req -x509`; whitespace is ignored.
    private static let manifold = """
        MIIC6jCCApECFFQfgqnHbhyBSwzo0QpznCgn05chMAoGCCqGSM49BAMCMIH2MQswCQYDVQQGEwJERTERMA8GA1UECAwIQmF2LGFy
        aWExFDASBgNVBAcMCyBsZWFkK3RyYWlsMRowGAYDVQQKDBFBIHF1b3RlZCBcXCA8eD47PTERMA8GA1UECwwII2hhc2ggIzIxEDAO
        BgNVBAsMB0dyw7bDn2UxEDAOBgNVBAMMB2tpdGNoZW4xFTATBgkqhkiG9w0BCQEWBmFAYi5kZTENMAsGA1UEBRMEMDgxNTESMBAG
        CgmSJomT8ixkAQEMAnUxMRcwFQYKCZImiZPyLGQBGRYHZXhhbXBsZTELMAkGA1UEDAwCRHIxCzAJBgJTBAwDb2RkMCAXDTI2MTEy
        MTE1MTUyOFoYDzIxMjYxMDI4MTUxNTI4WjCB9jELMAkGA1UEBhMCREUxETAPBgNVBAgMCEJhdixhcmlhMRQwEgYDVQQHDAsgbGVh
        ZCt0cmFpbDEaMBgGA1UECgwRQSBxdW90ZWQgXFwgPHg+Oz0xETAPBgNVBAsMCCNoYXNoICMyMRAwDgYDVQQLDAdHcsO2w59lMRAw
        DgYDVQQDDAdraXRjaGVuMRUwEwYJKoZIhvcNAQkBFgZhQGIuZGUxDTALBgNVBAUTBDA4MTUxEjAQBgoJkiaJk/IsZAEBDAJ1MTEX
        MBUGCgmSJomT8ixkARkWB2V4YW1wbGUxCzAJBgNVBAwMAkRyMQswCQYCUwQMA29kZDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA
        BGPH1XfxkFctapdrkKnJhZWnxx4NEqWkFXQcw+iUtNkK8A7GOMjfiwBPTzievtyia/M1tlfoe9ebzUFwGMDp7xEwCgYIKoZIzj0E
        AwIDRwAwRAIgF3foMcg7BN6JshOWUex9dsFVrAt7kAUT2IaTHaceSOoCIHCEFLUHjaC22f04wOHLc8gHJJZ/OqqVlVdNeqsn73Mg
        """
    private static let several = """
        MIICBjCCAaugAwIBAgIUJINZdMtgXdCpPLhGdylHpvU9nTYwCgYIKoZIzj0EAwIwVzELMAkGA1UEBhMCREUxCjAIBgNVBAoMAXgx
        LTAKBgNVBAMMA29uZTAMBgNVBAsMBXRocmVlMBEGCgmSJomT8ixkAQEMA3R3bzENMAsGA1UEAwwEbGFzdDAgFw0yNjExMjExNTE1
        MTdaGA8yMTI2MTAyODE1MTUxN1owVzELMAkGA1UEBhMCREUxCjAIBgNVBAoMAXgxLTAKBgNVBAMMA29uZTAMBgNVBAsMBXRocmVl
        MBEGCgmSJomT8ixkAQEMA3R3bzENMAsGA1UEAwwEbGFzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJh7nSuPvdk+DE/IylSa
        wLF2GQl1BpOBuuENnCno/K4nINkn0fMHmaMy03X/a/XelUWIfGzkitwYbDucM2clVLOjUzBRMB0GA1UdDgQWBBSUalp2MUh2wrCu
        1iqTSHkoXJBJuzAfBgNVHSMEGDAWgBSUalp2MUh2wrCu1iqTSHkoXJBJuzAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kA
        MEYCIQCHbUqsxCxttf/fPa9IXuzhQDeYyRDyazzqEXDbtBQ2xwIhAOTcSuB6b7WO0F8QBDeb2RltzgR6qaG8S6JAcZvGYgIk
        """
    private static let nameless = """
        MIIBfDCCASOgAwIBAgIUGmpd87HrQXkrEqzpZ1LXPzi/Ib4wCgYIKoZIzj0EAwIwEzERMA8GA1UECgwIbmFtZWxlc3MwIBcNMjYx
        MTIxMTUxOTU2WhgPMjEyNjEwMjgxNTE5NTZaMBMxETAPBgNVBAoMCG5hbWVsZXNzMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
        VIJDYhg13cPFypZV1VAsmgWJwznSqFluRFv6pOUziFrGx+qOIV3yngdraNSsc3ru+kTXN9fFwzJps8+LD1y0sqNTMFEwHQYDVR0O
        BBYEFL5qq0EoVp5GQYcAV7r8MBshVhVIMB8GA1UdIwQYMBaAFL5qq0EoVp5GQYcAV7r8MBshVhVIMA8GA1UdEwEB/wQFMAMBAf8w
        CgYIKoZIzj0EAwIDRwAwRAIgVi8eSZxQaYZj9By/MPEqxjX82ZXfc/DzLjyV6u3Cc4UCIEon83EwYxZRzjxtNXm+rIoUBc5/+8rb
        eAoGfQIdLr3M
        """
}
#endif

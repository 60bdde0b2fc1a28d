#if Tools
import CurlewBroker
import NIOCore
import Testing

@testable import CurlewCommand

@Suite("Applying a mosquitto.conf")
struct MosquittoPlanTests {
    @Test("An empty file has mosquitto's defaults")
    func defaults() async throws {
        let plan = try await MosquittoFiles.plan("")
        let limits = plan.configuration.limits
        #expect(limits.maximumInFlightMessages == 20)
        #expect(limits.receiveMaximum == 20)
        #expect(limits.maximumQueuedMessages == 1000)
        #expect(limits.maximumQueuedBytes == .max)
        #expect(limits.maximumInFlightBytes == nil)
        #expect(limits.maximumPacketSize == 268_435_460)
        #expect(limits.maximumKeepAlive == 65_535)
        #expect(limits.maximumSessionExpiry == nil)
        #expect(plan.configuration.systemTopicInterval == .seconds(10))
        #expect(!plan.configuration.behavior.queuesAtMostOnce)
        #expect(plan.configuration.publishFilters.isEmpty)
        let listener = try #require(plan.configuration.listeners.first)
        #expect(listener.anonymous == .allowed)
        #expect(listener.topicAliasMaximum == 10)
        #expect(listener.maximumQoS == .exactlyOnce)
        #expect(listener.assignedIdentifierPrefix == "auto-")
        #expect(listener.assignsClientIdentifiers == true)
        #expect(plan.log == LogSettings())
    }

    @Test("A listener from the file accepts unknown clients only if the file allows it")
    func anonymous() async throws {
        func anonymous(_ text: String) async throws -> [MQTTBrokerConfiguration.Listener.Anonymous] {
            try await MosquittoFiles.plan(text).configuration.listeners.map(\.anonymous)
        }
        #expect(try await anonymous("listener 1\n") == [.refused])
        #expect(try await anonymous("port 1\n") == [.refused])
        #expect(try await anonymous("listener 1\nallow_anonymous true\n") == [.allowed])
        #expect(try await anonymous("allow_anonymous false\n") == [.refused])
        #expect(try await anonymous("password_file p\n") == [.allowed])
        #expect(
            try await anonymous("per_listener_settings true\nlistener 1\nallow_anonymous true\nlistener 2\n")
                == [.allowed, .refused])
    }

    @Test("A listener's address comes from the file; the default is all addresses")
    func addresses() async throws {
        let text = """
            listener 1883
            listener 1884 ::1
            listener 8883 example.com
            certfile c
            keyfile k
            listener 1885
            socket_domain ipv6
            listener 8083
            protocol websockets
            listener 0 /run/m.sock
            """
        let plan = try await MosquittoFiles.plan(text)
        #expect(
            plan.addresses.map { $0.url(bound: $0.port) } == [
                "mqtt://*:1883", "mqtt://[::1]:1884", "mqtts://example.com:8883", "mqtt://*:1885",
                "ws://*:8083", "mqtt+unix:///run/m.sock",
            ])
        #expect(plan.configuration.listeners.map(\.addressFamily) == [.any, .any, .any, .ipv6, .any, .any])
    }

    @Test("Password files, access files and certificate names apply to their listeners")
    func accounts() async throws {
        let text = """
            per_listener_settings true
            listener 1
            password_file p
            acl_file a
            listener 2
            password_file q
            listener 3
            certfile c
            keyfile k
            cafile d
            require_certificate true
            use_identity_as_username true
            use_subject_as_username true
            password_file r
            allow_anonymous true
            listener 4
            """
        let listeners = try await MosquittoFiles.plan(text).configuration.listeners
        #expect(listeners.map { $0.authenticators?.sources } == [["p"], ["q"], ["common name"], []])
        #expect(listeners.map { $0.authorizers?.sources } == [["a"], [], [], []])
        // A client without a name in its certificate is refused.
        #expect(listeners[2].anonymous == .refused)
        let subject = text.replacing("use_identity_as_username true\n", with: "")
        let other = try await MosquittoFiles.plan(subject).configuration.listeners
        #expect(other[2].authenticators?.sources == ["subject"])
    }

    @Test("A password file that cannot be read is an error")
    func missingFile() async throws {
        await #expect(throws: MQTTBrokerError.self) { try await MosquittoFiles.plan("password_file missing\n") }
    }

    @Test("A PKCS#12 bundle needs no keyfile", arguments: ["c.p12", "C.PFX"])
    func bundle(name: String) throws {
        let tls = try MosquittoFiles.configuration("listener 1\ncertfile \(name)\n").listeners[0].tls
            .settings(keys: nil, files: MosquittoFiles([:]).files, passphrase: "p")
        #expect(tls?.certificate == .pkcs12(.file(name), passphrase: "p"))
    }

    @Test("Clients are asked for a certificate only if one is required")
    func certificates() throws {
        let text = "listener 1\ncertfile c\nkeyfile k\ncafile a\n"
        func tls(_ text: String) throws -> MQTTBrokerConfiguration.TLS? {
            try MosquittoFiles.configuration(text).listeners[0].tls.settings(
                keys: nil, files: MosquittoFiles([:]).files)
        }
        let lenient = try #require(try tls(text + "tls_version tlsv1.1\nciphers AES128-SHA\n"))
        #expect(lenient.certificate == .init(chain: .file("c"), key: .file("k")))
        #expect(lenient.clientTrustRoots == nil)
        #expect(lenient.minimumVersion == .tls11)
        #expect(lenient.cipherSuites == ["AES128-SHA"])
        let strict = try #require(try tls(text + "require_certificate true\n"))
        #expect(strict.clientTrustRoots == .file("a"))
        #expect(strict.requiresClientCertificate)
        #expect(strict.minimumVersion == .tls12)
        #expect(strict.revocationLists.isEmpty)
        let revoking = try #require(try tls(text + "require_certificate true\ncrlfile r\n"))
        #expect(revoking.revocationLists == [.file("r")])
        let folder = text.replacing("cafile", with: "capath") + "require_certificate true\n"
        #expect(try tls(folder)?.clientTrustRoots == .directory("a"))
        #expect(try tls("listener 1\n") == nil)
    }

    @Test("Pre-shared keys are read at the start")
    func preSharedKeys() throws {
        let configuration = try MosquittoFiles.configuration("listener 1\npsk_hint here\npsk_file f\n")
        let files = MosquittoFiles(["f": "# keys\r\nme:0aFF\r\n\r\nyou:01\r\n"]).files
        let tls = try #require(try configuration.listeners[0].tls.settings(keys: "f", files: files))
        #expect(tls.preSharedKeyHint == "here")
        #expect(tls.preSharedKeys == ["me": [0x0A, 0xFF], "you": [1]])
        #expect(tls.certificate == nil)
    }

    @Test(
        "An error in a key file names the line and does not quote the key",
        arguments: ["me", "me:", ":01", "me:0", "me:0g", "me: 01", "a:02\nme:01\nme:01"])
    func wrongKeys(text: String) throws {
        let files = MosquittoFiles(["f": "\n\(text)\n"]).files
        let error = #expect(throws: MQTTBrokerError.self) { try PreSharedKeys.read("f", files: files) }
        let line = 1 + text.split(separator: "\n").count
        #expect(error?.message.hasPrefix("Line \(line) of the key file 'f' ") == true)
        #expect(error?.message.contains("0g") == false)
        #expect(throws: MQTTBrokerError.self) { try PreSharedKeys.read("g", files: files) }
    }

    @Test("message_size_limit applies to the payload and permits a payload of exactly that size")
    func payloadLimit() async throws {
        let filters = try await MosquittoFiles.plan("message_size_limit 3\n").configuration.publishFilters
        let filter = try #require(filters.first as? PayloadLimit)
        let topic = try TopicName("a/long/topic")
        func decision(_ payload: String) -> MQTTPublishDecision {
            filter.willPublish(MQTTBrokerMessage(topic: topic, payload: ByteBuffer(string: payload)), from: nil)
        }
        #expect(decision("abc") == .allow)
        #expect(decision("abcd") == .deny(.implementationSpecificError))
    }
}
#endif

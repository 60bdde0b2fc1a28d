import CurlewCore
import CurlewTransport
import Foundation
import Testing

@testable import Curlew

@Suite("Presets for hosted brokers")
struct CloudPresetTests {
    private let certificate = TLSSettings.Identity(chain: .file("c.pem"), key: .file("k.pem"))

    private func login(_ configuration: MQTTConfiguration) async throws -> MQTTConfiguration.Login? {
        switch configuration.credentials.source {
        case .none: nil
        case .fixed(let login): login
        case .provider(let provide): try await provide()
        }
    }

    @Test("Azure, HiveMQ, EMQX and ThingsBoard")
    func others() async throws {
        let azure = MQTTConfiguration.azureEventGrid(host: "h", clientIdentifier: "s", certificate: self.certificate)
        #expect(azure.servers == [.mqtts("h")])
        #expect(try await self.login(azure) == .init(username: "s"))
        #expect(azure.tls.clientCertificate == self.certificate)
        #expect(azure.serviceLimits.maximumQoS == .atLeastOnce)
        let hive = MQTTConfiguration.hiveMQCloud(host: "h", username: "u", password: "p")
        #expect(hive.servers == [.mqtts("h")])
        #expect(try await self.login(hive) == .init(username: "u", password: "p"))
        let emqx = MQTTConfiguration.emqxCloud(host: "h", username: "u", password: "p", trustRoots: .file("ca"))
        #expect(emqx.servers == [.mqtts("h")] && emqx.tls.trustRoots == .file("ca"))
        let board = MQTTConfiguration.thingsBoard(accessToken: "t")
        #expect(board.servers == [.mqtts("mqtt.thingsboard.cloud")])
        #expect(try await self.login(board) == .init(username: "t"))
        for configuration in [azure, hive, emqx, board] { try configuration.validate() }
    }

    @Test("AWS IoT with a certificate, on both ports")
    func certificates() throws {
        let usual = try MQTTConfiguration.awsIoT(
            endpoint: "e.example", clientIdentifier: "c", authentication: .certificate(self.certificate))
        #expect(usual.servers == [.mqtts("e.example")] && usual.tls.applicationProtocols.isEmpty)
        #expect(usual.clientIdentifier == .given("c") && usual.tls.clientCertificate == self.certificate)
        let shared = try MQTTConfiguration.awsIoT(
            endpoint: "e.example", clientIdentifier: "c", authentication: .certificate(self.certificate, port: 443))
        #expect(shared.servers == [.mqtts("e.example", port: 443)])
        #expect(shared.tls.applicationProtocols == ["x-amzn-mqtt-ca"])
    }

    @Test("The parameters of a custom authorizer are part of the user name, and percent-encoded")
    func customAuthorizer() async throws {
        let token = AWSIoTToken(keyName: "tok", value: "a b", signature: "x+/y==")
        let full = try MQTTConfiguration.awsIoT(
            endpoint: "e.example", clientIdentifier: "c",
            authentication: .customAuthorizer("auth", username: "me", password: "p", token: token))
        #expect(full.servers == [.mqtts("e.example", port: 443)] && full.tls.applicationProtocols == ["mqtt"])
        #expect(
            try await self.login(full)
                == .init(
                    username:
                        "me?x-amz-customauthorizer-name=auth&x-amz-customauthorizer-signature=x%2B%2Fy%3D%3D&tok=a%20b",
                    password: "p"))
        let encoded = AWSIoTToken(keyName: "tok", value: "a b", signature: "x%2B%2Fy%3D%3D")
        #expect(encoded == token)
        #expect(!"\(token)".contains("x+/y") && !String(reflecting: token).contains("a b"))
        let plain = try MQTTConfiguration.awsIoT(
            endpoint: "e.example", clientIdentifier: "c", authentication: .customAuthorizer())
        #expect(try await self.login(plain) == nil)
        expectError(.invalidConfiguration, mentioning: ["user name", "'?'"]) { () throws(MQTTError) in
            _ = try MQTTConfiguration.awsIoT(
                endpoint: "e.example", clientIdentifier: "c", authentication: .customAuthorizer(username: "a?b"))
        }
    }

    @Test("An endpoint must be only a host name", arguments: ["", "https://e.example", "e.example:8883", "e/", "e e"])
    func endpoints(endpoint: String) {
        expectError(.invalidConfiguration, mentioning: ["only a host name"]) { () throws(MQTTError) in
            _ = try MQTTConfiguration.awsIoT(
                endpoint: endpoint, clientIdentifier: "c", authentication: .certificate(self.certificate))
        }
    }

    #if AWS
    @Test("AWS IoT with a signature needs a region")
    func region() throws {
        let known = try MQTTConfiguration.awsIoT(
            endpoint: "abc-ats.iot.eu-central-1.amazonaws.com", clientIdentifier: "c", authentication: .signature())
        #expect(known.servers == [.wss("abc-ats.iot.eu-central-1.amazonaws.com")])
        #expect(known.webSocket.signRequest != nil && known.webSocket.prepareRequest == nil)
        expectError(.invalidConfiguration, mentioning: ["region"]) { () throws(MQTTError) in
            _ = try MQTTConfiguration.awsIoT(
                endpoint: "iot.example.com", clientIdentifier: "c", authentication: .signature())
        }
    }
    #endif
}

@Suite("AWS IoT from the environment")
struct AWSIoTEnvironmentTests {
    private let base = ["AWS_IOT_CORE_ENDPOINT": "e.example", "AWS_IOT_CLIENT_ID": "c"]

    private func read(_ more: [String: String], writes: Bool = false) throws(MQTTError) -> MQTTConfiguration {
        try MQTTConfiguration.awsIoT(environment: self.base.merging(more) { $1 }, writesMissingFiles: writes)
    }

    @Test("Base64 is used from memory")
    func memory() throws {
        let configuration = try self.read([
            "AWS_IOT_CERT_BASE64": "Yw==", "AWS_IOT_KEY_BASE64": "aw==", "AWS_IOT_ROOT_CERT_BASE64": "cg==",
            "AWS_IOT_MQTT_TOPIC": "cameras/7",
        ])
        #expect(configuration.servers == [.mqtts("e.example")] && configuration.clientIdentifier == .given("c"))
        #expect(configuration.tls.clientCertificate == .init(chain: .base64("Yw=="), key: .base64("aw==")))
        #expect(configuration.tls.trustRoots == .certificates(.base64("cg==")))
        #expect(MQTTConfiguration.awsIoTTopic(environment: ["AWS_IOT_MQTT_TOPIC": "cameras/7"]) == "cameras/7")
        #expect(MQTTConfiguration.awsIoTTopic(environment: [:]) == nil)
    }

    @Test("A file that exists is used; a missing one is written only if that is asked for, and only for its owner")
    func files() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (certificate, key) = (folder.appending(path: "c").path, folder.appending(path: "k").path)
        try Data("there".utf8).write(to: URL(filePath: certificate))
        let variables = [
            "AWS_IOT_PATH_TO_CERT": certificate, "AWS_IOT_CERT_BASE64": "Yw==", "AWS_IOT_PATH_TO_KEY": key,
            "AWS_IOT_KEY_BASE64": "aw==",
        ]
        let unwritten = try self.read(variables)
        #expect(unwritten.tls.clientCertificate == .init(chain: .file(certificate), key: .base64("aw==")))
        #expect(!FileManager.default.fileExists(atPath: key))
        let written = try self.read(variables, writes: true)
        #expect(written.tls.clientCertificate == .init(chain: .file(certificate), key: .file(key)))
        #expect(try Data(contentsOf: URL(filePath: key)) == Data("k".utf8))
        #expect(try Data(contentsOf: URL(filePath: certificate)) == Data("there".utf8))
        let mode = try FileManager.default.attributesOfItem(atPath: key)[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test("Each error names the variable, and quotes no secret")
    func errors() {
        let cases: [([String: String], [String])] = [
            (["AWS_IOT_CORE_ENDPOINT": ""], ["AWS_IOT_CORE_ENDPOINT is not set"]),
            (["AWS_IOT_CLIENT_ID": ""], ["AWS_IOT_CLIENT_ID is not set"]),
            ([:], ["AWS_IOT_PATH_TO_CERT", "AWS_IOT_CERT_BASE64"]),
            (["AWS_IOT_CERT_BASE64": "Yw=="], ["AWS_IOT_PATH_TO_KEY", "AWS_IOT_KEY_BASE64"]),
            (
                ["AWS_IOT_CERT_BASE64": "Yw==", "AWS_IOT_KEY_BASE64": "geheim!", "AWS_IOT_PATH_TO_KEY": "/nowhere/k"],
                ["AWS_IOT_KEY_BASE64 is not valid Base64"]
            ),
            (
                ["AWS_IOT_CERT_BASE64": "Yw==", "AWS_IOT_KEY_BASE64": "aw==", "AWS_IOT_PATH_TO_KEY": "/nowhere/k"],
                ["/nowhere/k", "AWS_IOT_PATH_TO_KEY", "could not be written"]
            ),
        ]
        for (variables, words) in cases {
            expectError(.invalidConfiguration, mentioning: words) { () throws(MQTTError) in
                do throws(MQTTError) { _ = try self.read(variables, writes: true) } catch {
                    #expect(!error.message.contains("geheim"))
                    throw error
                }
            }
        }
    }
}

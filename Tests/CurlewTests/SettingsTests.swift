import CurlewCore
import Foundation
import Testing

@testable import Curlew

@Suite("A configuration from a dictionary or a decoder")
struct SettingsTests {
    private struct Application: Decodable {
        let mqtt: MQTTConfiguration
    }

    private static func decode(_ json: String) throws -> MQTTConfiguration {
        try JSONDecoder().decode(Application.self, from: Data("{\"mqtt\": \(json)}".utf8)).mqtt
    }

    @Test("Each variable is a setting, and means the same", arguments: MQTTConfiguration.environmentVariables)
    func names(variable: String) throws {
        let setting = Variables.setting(variable)
        #expect("MQTT_" + setting.uppercased().replacing("-", with: "_") == variable)
        // A value that is wrong for most; the errors differ only in the name.
        func outcome(_ read: () throws -> MQTTConfiguration) -> String {
            do { return "\(try read())" } catch { return "\(error)" }
        }
        let byVariable = outcome { try MQTTConfiguration(environment: [variable: "-"]) }
        let bySetting = outcome { try MQTTConfiguration(settings: [setting: "-"]) }
        #expect(byVariable.replacing("environment variable \(variable)", with: "setting '\(setting)'") == bySetting)
        #expect(!bySetting.contains("environment"))
    }

    @Test(
        "Case, hyphens and underscores make no difference",
        arguments: ["client-id", "clientId", "client_id", "CLIENT_ID"])
    func spelling(name: String) throws {
        let configuration = try MQTTConfiguration(settings: ["url": "mqtt://h", name: "me"])
        #expect(configuration.clientIdentifier == .given("me"))
        #expect(configuration.servers == [.mqtt("h")])
    }

    @Test(
        "An error names the setting",
        arguments: [
            (["nosuch": "1"], "There is no setting 'nosuch'; the settings are: url, host,"),
            (["keepAlive": "1", "keep_alive": "2"], "The setting 'keep-alive' is given twice."),
            (["keep-alive": "soon"], "The setting 'keep-alive' is 'soon'; it must be a number of seconds"),
            (["url": "mqtt://h", "port": "1"], "The settings 'url' and 'port' are both set; leave one of them out."),
            (["url": "mqtt://h/t"], "The setting 'url' has a topic after the host; leave it out."),
            (["password-file": "/nosuch"], "The file '/nosuch' that the setting 'password-file' names cannot be used"),
            (["ca": "x", "ca-file": "y"], "The setting 'ca' sets the same as the setting 'ca-file'"),
        ] as [([String: String], String)])
    func errors(settings: [String: String], message: String) throws {
        let error = try #require(throws: MQTTError.self) { try MQTTConfiguration(settings: settings) }
        #expect(error.message.hasPrefix(message), "\(error)")
    }

    @Test("Strings, numbers, Booleans, arrays and null are decoded")
    func decoding() throws {
        let configuration = try Self.decode(
            """
            {"url": "mqtts://broker", "clientId": "007", "keepAlive": 90, "cleanStart": false, "alpn": ["a", "b"],
             "version": 5, "username": "u", "password": "p", "serverName": null}
            """)
        #expect(configuration.servers == [.mqtts("broker")])
        #expect(configuration.clientIdentifier == .given("007"))
        #expect(configuration.connection.keepAlive == .seconds(90))
        #expect(!configuration.session.cleanStart)
        #expect(configuration.tls.applicationProtocols == ["a", "b"])
        #expect(configuration.tls.serverName == nil)
        if case .fixed(let login) = configuration.credentials.source {
            #expect(login == .init(username: "u", password: "p"))
        } else {
            Issue.record("There is no login.")
        }
        #expect(try Self.decode("{}").servers == MQTTConfiguration().servers)
    }

    @Test(
        "A decoder's error names the setting; values of other shapes are refused",
        arguments: [#"{"keepAlive": 1.5}"#, #"{"keepAlive": true}"#])
    func decodingErrors(json: String) throws {
        let error = try #require(throws: MQTTError.self) { try Self.decode(json) }
        #expect(error.message.hasPrefix("The setting 'keep-alive' is '"), "\(error)")
        #expect(throws: Swift.DecodingError.self) { try Self.decode(#"{"keepAlive": {"a": 1}}"#) }
        #expect(throws: Swift.DecodingError.self) { try Self.decode("[]") }
        #expect(throws: Swift.DecodingError.self) { try Self.decode(#"{"password": 12345678901234567890}"#) }
        let list = try #require(throws: MQTTError.self) { try Self.decode(#"{"clientId": ["a", "b"]}"#) }
        #expect(list.message == "The setting 'clientId' is a list; it must be one value.")
        #expect(try Self.decode(#"{"minimumTls": 1.0, "url": "mqtts://h"}"#).tls.minimumVersion == .tls10)
        #expect(try Self.decode(#"{"clientId": "", "client_id": "x"}"#).clientIdentifier == .given("x"))
    }
}

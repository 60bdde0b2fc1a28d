#if Configuration
import Configuration
import Testing

@testable import Curlew

@Suite("Configuration with swift-configuration")
struct ConfigReaderTests {
    @Test("Environment variables below the scope mqtt are those of init(environment:)")
    func environment() throws {
        let environment = [
            "MQTT_HOST": "h", "MQTT_PORT": "8883", "MQTT_KEEP_ALIVE": "90s", "MQTT_CLIENT_ID": "c",
            "MQTT_USERNAME": "u", "MQTT_PASSWORD": "p", "MQTT_MAXIMUM_IN_FLIGHT": "7", "MQTT_ALPN": "a,b",
        ]
        let reader = ConfigReader(provider: EnvironmentVariablesProvider(environmentVariables: environment))
        let configuration = try MQTTConfiguration(config: reader.scoped(to: "mqtt"))
        let expected = try MQTTConfiguration(environment: environment)
        #expect(configuration.servers == expected.servers && configuration.servers == [.mqtts("h")])
        #expect(configuration.connection.keepAlive == .seconds(90))
        #expect(configuration.clientIdentifier == .given("c"))
        #expect(configuration.session.maximumInFlightMessages == 7)
        #expect(configuration.tls.applicationProtocols == ["a", "b"])
        guard case .fixed(let login) = configuration.credentials.source else {
            Issue.record("there are no credentials")
            return
        }
        #expect(login == .init(username: "u", password: "p"))
    }

    @Test("Each variable has a key that the environment provider turns back into it")
    func keys() {
        for variable in MQTTConfiguration.environmentVariables {
            let provider = EnvironmentVariablesProvider(environmentVariables: [variable: "1"])
            let reader = ConfigReader(provider: provider).scoped(to: "mqtt")
            #expect(reader.string(forKey: ConfigKey(Variables.key(variable))) == "1", "\(variable)")
        }
    }

    @Test("Numbers, Booleans and arrays are values, and providers can be combined")
    func types() throws {
        let reader = ConfigReader(providers: [
            InMemoryProvider(values: ["mqtt.keepAlive": 30, "mqtt.cleanStart": false]),
            InMemoryProvider(values: [
                "mqtt.url": "mqtts://h", "mqtt.keepAlive": 60, "mqtt.minimumTls": 1.3,
                "mqtt.alpn": .init(.stringArray(["mqtt", "x"]), isSecret: false),
            ]),
        ])
        let configuration = try MQTTConfiguration(config: reader.scoped(to: "mqtt"))
        #expect(configuration.servers == [.mqtts("h")])
        #expect(configuration.connection.keepAlive == .seconds(30))
        #expect(!configuration.session.cleanStart)
        #expect(configuration.tls.minimumVersion == .tls13)
        #expect(configuration.tls.applicationProtocols == ["mqtt", "x"])
    }

    @Test("An error names the key, and quotes no secret")
    func errors() {
        func message(_ values: [AbsoluteConfigKey: ConfigValue]) -> String {
            let reader = ConfigReader(provider: InMemoryProvider(values: values))
            do {
                _ = try MQTTConfiguration(config: reader)
                return "no error"
            } catch { return "\(error)" }
        }
        #expect(message(["keepAlive": "soon"]).contains("The value of the key 'keepAlive' is 'soon'"))
        #expect(message(["url": "mqtt://h", "host": "h"]).contains("The keys 'url' and 'host' are both set"))
        let secret = message(["url": "mqtt://u:geheim/@h"])
        #expect(secret.contains("'url'") && !secret.contains("geheim"), "\(secret)")
    }
}
#endif

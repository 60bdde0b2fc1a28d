#if Tools
import Curlew
import CurlewBroker
import CurlewTransport
import Testing

@testable import CurlewCommand

@Suite("Names of TLS settings")
struct TLSSettingNamesTests {
    private func name(_ setting: TLSSetting, _ arguments: String..., variables: [String: String] = [:]) -> String {
        TLSSettingNames(arguments: arguments, variable: { variables[$0] }).name(setting)
    }

    @Test("A setting is named after the option or variable that set it, or else after the option to use")
    func names() {
        #expect(self.name(.trustRoots) == "--cafile")
        #expect(self.name(.trustRoots, "--capath", "x") == "--capath")
        #expect(self.name(.trustRoots, variables: ["MQTT_CA_FILE": "x"]) == "MQTT_CA_FILE")
        #expect(
            self.name(.trustRoots, variables: ["CURLEW_CA_FILE": "x", "MQTT_CA_FILE": "x"]) == "CURLEW_CA_FILE")
        #expect(self.name(.clientKey, "--key=x", variables: ["CURLEW_PRIVATE_KEY_FILE": "x"]) == "--key")
    }

    @Test("Every name is that of an existing option or variable", arguments: TLSSetting.allCases)
    func existence(setting: TLSSetting) {
        let name = self.name(setting)
        let variables = MQTTConfiguration.environmentVariables.map { "CURLEW_" + $0.dropFirst("MQTT_".count) }
        let isKnown =
            name.hasPrefix("--")
            ? KnownOption.all.contains { "--\($0.long)" == name }
            : variables.contains(name) || name == "CURLEW_BROKER_TLS_KEY_PASSPHRASE"
        #expect(isKnown, "\(name)")
    }

    @Test("A TLS error names options")
    func failure() {
        let cause = Result { () throws -> Void in
            var settings = TLSSettings()
            settings.trustRoots = .file("/no/such/file")
            _ = try SocketConnector(tls: settings)
        }
        guard case .failure(let error) = cause, let transport = error as? TransportError else {
            Issue.record("no error")
            return
        }
        let failure = CommandFailure(MQTTError(.invalidConfiguration, transport.message, cause: transport))
        #expect(
            failure.message
                == "The trusted authorities (--cafile) cannot be read from /no/such/file: No such file or directory."
        )
    }

    @Test("A TLS error in a mosquitto.conf names option and line")
    func mosquitto() async throws {
        let plan = try await MosquittoFiles.plan(
            "listener 1\nlistener 2\ncertfile /no/such/cert\nkeyfile /no/such/key\n")
        var configuration = plan.configuration
        configuration.listeners.removeFirst()
        let broker = MQTTBroker(configuration)
        let error = try #require(await #expect(throws: MQTTBrokerError.self) { try await broker.start() })
        // The broker does not count the first listener, which was removed.
        let message = error.message { plan.settingName($0 + 1, $1) }
        #expect(
            message.hasPrefix("The broker's certificate (certfile, ")
                && message.contains(":3) cannot be read from"),
            "\(message)")
    }

    @Test("A sentence that ends with a quoted sentence has one full stop")
    func ends() {
        #expect(CommandFailure("It failed: Bad..").message == "It failed: Bad.")
        #expect(MQTTError(.connectionRefused, "Refused: Who are you?.").message == "Refused: Who are you?")
        #expect(TransportError(.tlsFailed, "So..").message == "So.")
        #expect(MQTTBrokerError(.notRunning, "Wait...").message == "Wait...")
    }
}
#endif

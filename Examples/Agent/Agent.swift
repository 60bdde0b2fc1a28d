import Curlew
import Foundation

/// A program without async that asks a fleet of devices for their status, over one connection.
///
/// Run `curlew broker`, some devices (`swift run Device thermostat-7`), and `swift run Agent thermostat-7 thermostat-8`.
@main
struct Agent {
    private struct Status: Codable {
        var celsius: Double
        var target: Double
    }

    static func main() {
        let devices = Array(CommandLine.arguments.dropFirst())
        guard !devices.isEmpty else { return self.fail("Name the devices to ask, as in: swift run Agent thermostat-7") }
        do {
            let environment = MQTTConfiguration.processEnvironment
            let client = try MQTTClient(MQTTConfiguration(environment: environment)).blocking
            try client.connect()
            // Any number of threads may call the client at once, for example those of a web server.
            for result in try client.devices(devices, .jsonRPC).call("Status.Get", as: Status.self) {
                switch result.outcome {
                case .answered(let status): print("\(result.device): \(status.celsius) °C, wanted \(status.target) °C")
                case let outcome: print("\(result.device): \(outcome)")
                }
            }
            try client.disconnect()
        } catch {
            // One sentence for people, instead of a trace.
            self.fail("\(error)")
        }
    }

    private static func fail(_ message: String) {
        FileHandle.standardError.write(Data("\(message)\n".utf8))
        exit(1)
    }
}

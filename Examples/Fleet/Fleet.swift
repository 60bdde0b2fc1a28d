import Curlew
import Foundation
import Logging
import ServiceLifecycle
import UnixSignals

/// A small fleet with a real broker: three devices publish the weather of Seattle and answer requests, and a console
/// shows it all. Each is a service; a service group starts them, and on Ctrl-C stops them one by one in reverse order.
@main
struct Fleet {
    static func main() async {
        do {
            let options = try Options(arguments: CommandLine.arguments.dropFirst())
            try await self.run(options)
        } catch let help as Options.Help {
            print(help)
        } catch {
            FileHandle.standardError.write(Data("Fleet: \(error)\n".utf8))
            exit(1)
        }
    }

    private static func run(_ options: Options) async throws {
        let weather = try Weather.seattle()
        let devices = [
            try Device("thermometer", publishes: \.temperature, in: "°C", of: weather, server: options.server),
            try Device("rain-gauge", publishes: \.precipitation, in: "mm", of: weather, server: options.server),
            try Device("anemometer", publishes: \.wind, in: "m/s", of: weather, server: options.server),
        ]
        let console = try Console(asking: devices.map(\.name), server: options.server)

        var services: [any Service] = [console]
        services += devices
        if let seconds = options.seconds { services.append(TimeLimit(duration: .seconds(seconds))) }

        var logger = Logger(label: "fleet")
        logger.logLevel = .warning
        var group = ServiceGroupConfiguration(
            // When the time limit ends, everything ends.
            services: services.map { .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup) },
            gracefulShutdownSignals: [.sigint, .sigterm], logger: logger)
        group.maximumGracefulShutdownDuration = .seconds(15)
        try await ServiceGroup(configuration: group).run()
    }
}

import Curlew
import Logging
import ServiceLifecycle
import UnixSignals

// A camera on AWS IoT Core, and the MQTT side of the web service that watches it.

// README: camera
/// A camera that reports motion and takes commands.
struct Camera: Service {
    let client: MQTTClient
    let topic: String
    let motions: AsyncStream<String>
    let logger: Logger
    let perform: @Sendable (_ command: String) async throws -> Void

    func run() async throws {
        let commands = try client.messages(matching: ["\(topic)/command"])  // does not wait for the connection
        async let performing: Void = { for try await command in commands { try await perform(command.text) } }()
        for await motion in motions.cancelOnGracefulShutdown() {
            do {
                try await client.publish(motion, to: "\(topic)/event", qos: .atLeastOnce)
                logger.info("reported", metadata: ["motion": "\(motion)"])
            } catch {
                logger.warning("not reported", metadata: ["motion": "\(motion)", "error": "\(error)"])
            }
        }
        try? await commands.unsubscribe()  // ends the loop over the commands
        try await performing
    }
}

/// Runs a camera until SIGINT or SIGTERM. Everything that was reported before is delivered.
func runCamera(
    _ configuration: MQTTConfiguration, topic: String, motions: AsyncStream<String>, logger: Logger,
    perform: @escaping @Sendable (String) async throws -> Void
) async throws {
    var configuration = configuration  // from the environment: MQTTConfiguration.awsIoT()
    configuration.connection.acknowledgementTimeout = .seconds(10)
    let client = try MQTTClient(configuration, logger: logger)
    let camera = Camera(client: client, topic: topic, motions: motions, logger: logger, perform: perform)
    try await ServiceGroup(
        services: [client, camera], gracefulShutdownSignals: [.sigint, .sigterm], logger: logger
    ).run()
}
// README end

// README: handlers
/// The MQTT side of a web service: hands messages to handlers by topic, from start-up to shutdown.
struct MessageHandlers: Service {
    let client: MQTTClient
    let handlers: [String: @Sendable (MQTTMessage) async throws -> Void]

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            try await client.route { for (filter, handle) in handlers { On(filter, handler: handle) } }
        }
    }
}
// README end

import Curlew
import Logging
import ServiceLifecycle
import UnixSignals

// A camera on AWS IoT Core, and the handlers of the web service that watches it.

// README: camera
/// A camera that reports motion and takes commands.
struct Camera: Service {
    let client: MQTTClient
    let topic: String
    let motions: AsyncStream<String>
    let logger: Logger
    let perform: @Sendable (_ command: String) async throws -> Void

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await takeCommands() }
            group.addTask { await reportMotions() }
            try await group.next()  // the motions end, by themselves or at the shutdown
            group.cancelAll()  // unsubscribes
        }
    }

    private func takeCommands() async throws {
        for try await command in try await client.subscribe(to: "\(topic)/command") { try await perform(command.text) }
    }

    private func reportMotions() async {
        for await motion in motions.cancelOnGracefulShutdown() {
            do {
                try await client.publish(motion, to: "\(topic)/event", qos: .atLeastOnce, timeout: .seconds(10))
                logger.info("reported", metadata: ["motion": "\(motion)"])
            } catch {
                logger.warning("not reported", metadata: ["motion": "\(motion)", "error": "\(error)"])
            }
        }
    }
}

/// Runs a camera until its motions end, or until SIGINT or SIGTERM.
func runCamera(
    _ configuration: MQTTConfiguration, topic: String, motions: AsyncStream<String>, logger: Logger,
    perform: @escaping @Sendable (String) async throws -> Void
) async throws {
    let client = try MQTTClient(configuration, logger: logger)
    let camera = Camera(client: client, topic: topic, motions: motions, logger: logger, perform: perform)
    try await ServiceGroup(
        configuration: .init(
            services: [
                .init(service: client),
                // When the camera has ended by itself, so does the group. By default, that would be an error.
                .init(service: camera, successTerminationBehavior: .gracefullyShutdownGroup),
            ],
            gracefulShutdownSignals: [.sigint, .sigterm], logger: logger)
    ).run()
}
// README end

// README: handlers
/// Hands messages to handlers by topic, from start-up to shutdown.
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

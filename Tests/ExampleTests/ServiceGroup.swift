import Curlew
import Logging
import ServiceLifecycle
import UnixSignals

// How the README runs a client in a server application. It only has to compile: other tests cover what it does.
private func run(_ client: MQTTClient, _ application: some Service, _ logger: Logger) async throws {
    // README: service-group
    try await ServiceGroup(
        services: [client, application], gracefulShutdownSignals: [.sigint, .sigterm], logger: logger
    ).run()
    // README end
}

#if Tools
import CurlewBroker
import Foundation
import MosquittoFixture

/// Runs a broker in this process for the duration of `body`, which gets its port.
func withLocalBroker(
    _ configure: (inout MQTTBrokerConfiguration) -> Void = { _ in },
    _ body: (_ broker: MQTTBroker, _ port: Int) async throws -> Void
) async throws {
    var configuration = MQTTBrokerConfiguration(listeners: [.tcp(port: 0)])
    configuration.systemTopicInterval = .zero
    configure(&configuration)
    let broker = MQTTBroker(configuration)
    try await broker.start()
    let result: Result<Void, any Error>
    do { result = .success(try await body(broker, await broker.listeners.first?.port ?? 0)) } catch {
        result = .failure(error)
    }
    await broker.stop()
    try result.get()
}

extension Subprocess {
    /// Runs a shell script in which `curlew` is the built command, for example to pass bytes that are not text. Signals
    /// reach only the shell, so a script with a single command begins with `exec`.
    static func script(_ script: String, environment: [String: String] = [:]) throws -> Subprocess {
        let inherited = ProcessInfo.processInfo.environment.filter {
            !$0.key.hasPrefix("MQTT_") && !$0.key.hasPrefix("CURLEW_")
        }
        let path = "\(Subprocess.products.path):\(inherited["PATH"] ?? "/usr/bin:/bin")"
        return try Subprocess(
            "/bin/sh", ["-c", script],
            environment: inherited.merging(environment) { $1 }.merging(["PATH": path]) { $1 }, hasInput: true)
    }
}

/// Creates a folder for the duration of `body`.
func withTemporaryFolder(_ body: (String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try await body(folder.path)
}
#endif

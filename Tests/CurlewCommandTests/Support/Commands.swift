#if Tools
import CurlewTransport
import Foundation
import MosquittoFixture
import NIOCore

extension Subprocess {
    /// Starts the built `curlew`. Of the environment variables that it reads, only the given ones are set.
    ///
    /// - Parameter hasReader: Whether its standard output has a reader; otherwise writing there fails.
    static func curlew(
        _ arguments: [String], environment: [String: String] = [:], hasReader: Bool = true
    ) throws -> Subprocess {
        let inherited = ProcessInfo.processInfo.environment.filter {
            !$0.key.hasPrefix("MQTT_") && !$0.key.hasPrefix("CURLEW_")
        }
        return try Subprocess(
            Self.products.appending(path: "curlew").path, arguments,
            environment: inherited.merging(environment) { $1 }, hasInput: true, hasReader: hasReader)
    }

    static func curlew(_ arguments: String...) throws -> Subprocess { try Self.curlew(arguments) }
}

/// Returns a port on which nothing listens.
func freePort() async throws -> Int {
    let listener = try await SocketListener.bind() { _ in DeafHandler() }
    await listener.close()
    return listener.port
}

private final class DeafHandler: LinkHandler {
    func linkRead(_ bytes: ByteBuffer) {}
    func linkReadCompleted() {}
    func linkWritabilityChanged(_ isWritable: Bool) {}
    func linkClosed(_ error: TransportError?) {}
}
#endif

import Foundation

/// The program that a test's broker runs. Both programs read the same configuration file.
package enum BrokerProgram: String, Sendable, CaseIterable, CustomStringConvertible {
    case mosquitto
    /// The built `curlew broker`, in place of mosquitto.
    case curlew

    package var description: String { self.rawValue }

    /// The available programs: mosquitto may not be installed, and a build without the trait Tools has no `curlew
    /// broker`.
    package static let available: [BrokerProgram] = {
        #if Tools
        let built: [BrokerProgram] = [.curlew]
        #else
        let built: [BrokerProgram] = []
        #endif
        return (Peers.haveMosquitto ? [.mosquitto] : []) + built
    }()

    /// Configuration lines that only this program needs and the other does not accept.
    func ownLines(_ folder: URL) -> [String] {
        switch self {
        case .mosquitto:
            // Keep root's privileges, if any, so that it can read and write the folder.
            ["user root", "connection_messages true", "persistence_location \(folder.path)/"]
        case .curlew: []
        }
    }

    func start(_ configuration: URL) throws -> Subprocess {
        switch self {
        case .mosquitto: try Subprocess("mosquitto", ["-c", configuration.path])
        case .curlew:
            try Subprocess(
                Subprocess.products.appending(path: "curlew").path, ["broker", "-c", configuration.path],
                environment: ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("CURLEW_") })
        }
    }

    /// Waits until all listeners are open; `false` if the program ended first.
    func isReady(_ process: Subprocess, listeners: Int) async -> Bool {
        switch self {
        case .mosquitto: return await process.errors.line { $0.contains(" running") } != nil
        case .curlew:
            for _ in 0..<listeners {
                guard await process.output.line(where: { $0.hasPrefix("listening on ") }) != nil else { return false }
            }
            return true
        }
    }

    /// What the program logs when a client has subscribed whose identifier begins with `client`.
    func subscribed(_ client: String) -> String {
        switch self {
        case .mosquitto: "Sending SUBACK to \(client)"
        case .curlew: "subscribed client=\(client)"
        }
    }
}

import Foundation

/// The program that a test's broker runs on. Both read the same configuration file.
package enum BrokerProgram: String, Sendable, CaseIterable, CustomStringConvertible {
    case mosquitto
    /// `curlew broker` in mosquitto's place, as it was built.
    case curlew

    package var description: String { self.rawValue }

    /// Those that are here: mosquitto may not be installed, and a build without the trait Tools has no `curlew broker`.
    package static let available: [BrokerProgram] = {
        #if Tools
        let built: [BrokerProgram] = [.curlew]
        #else
        let built: [BrokerProgram] = []
        #endif
        return (Peers.haveMosquitto ? [.mosquitto] : []) + built
    }()

    /// Lines for the configuration file that one of them needs and the other does not take.
    func ownLines(_ folder: URL) -> [String] {
        switch self {
        case .mosquitto:
            // Does not give up its rights, where it has any, so that it can read and write the folder.
            ["user root", "connection_messages true", "persistence_location \(folder.path)/"]
        case .curlew: []
        }
    }

    func start(_ configuration: URL) throws -> Subprocess {
        switch self {
        case .mosquitto: try Subprocess("mosquitto", ["-c", configuration.path])
        case .curlew:
            try Subprocess(
                Self.products.appending(path: "curlew").path, ["broker", "-c", configuration.path],
                environment: ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("CURLEW_") })
        }
    }

    /// Waits until all listeners are open; `false` when it ended before.
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

    /// What it logs when a client whose identifier begins so has subscribed.
    func subscribed(_ client: String) -> String {
        switch self {
        case .mosquitto: "Sending SUBACK to \(client)"
        case .curlew: "subscribed client=\(client)"
        }
    }

    /// Where the package's programs are built: beside the tests.
    private static let products: URL = {
        let bundle = CommandLine.arguments.first { $0.contains(".xctest") } ?? CommandLine.arguments[0]
        var folder = URL(filePath: bundle)
        while folder.path.contains(".xctest") { folder.deleteLastPathComponent() }
        return folder
    }()
}

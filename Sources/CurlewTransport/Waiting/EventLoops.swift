package import NIOCore
import NIOPosix

/// The source of event loops, so that no other module needs NIOPosix.
package enum EventLoops {
    /// SwiftNIO's process-wide group, with one loop per core. It starts on first use and is never shut down.
    package static var shared: any EventLoopGroup { MultiThreadedEventLoopGroup.singleton }

    /// Limits ``shared`` to as many loops as the process may use cores, for example under `taskset`. Loops that share a
    /// core only wait for each other.
    ///
    /// For a program, before anything else; a library leaves this to its program.
    package static func keepToOwnCores() {
        guard let count = Self.ownCores, count < System.coreCount else { return }
        NIOSingletons.groupLoopCountSuggestion = count
    }

    /// Limits ``shared`` to one loop: for a program with a single connection, which then starts faster, without idle
    /// threads.
    package static func keepToOne() { NIOSingletons.groupLoopCountSuggestion = 1 }

    /// The number of cores that Linux lets the process use.
    private static var ownCores: Int? {
        guard let bytes = try? Files.read("/proc/self/status") else { return nil }
        let name = "Cpus_allowed:"
        let line = String(decoding: bytes, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix(name) }
        // A mask of hexadecimal digits with commas.
        let count = line?.dropFirst(name.count).reduce(0) { $0 + ($1.hexDigitValue?.nonzeroBitCount ?? 0) }
        return count == 0 ? nil : count
    }
}

package import NIOCore
import NIOPosix

/// Where the event loops come from, so that no other module needs NIOPosix.
package enum EventLoops {
    /// The process-wide group of SwiftNIO, one loop per core; it starts with its first use and is never shut down.
    package static var shared: any EventLoopGroup { MultiThreadedEventLoopGroup.singleton }

    /// Makes ``shared`` have no more loops than the process has cores: fewer than the machine under `taskset`, for instance. Loops that
    /// share a core only wait for each other.
    ///
    /// For a program, before anything else; a library leaves that to its program.
    package static func keepToOwnCores() {
        guard let count = Self.ownCores, count < System.coreCount else { return }
        NIOSingletons.groupLoopCountSuggestion = count
    }

    /// Makes ``shared`` have one loop: for a program with a single connection, which starts sooner without threads that have nothing to do.
    package static func keepToOne() { NIOSingletons.groupLoopCountSuggestion = 1 }

    /// How many cores Linux lets the process use.
    private static var ownCores: Int? {
        guard let bytes = try? Files.read("/proc/self/status") else { return nil }
        let name = "Cpus_allowed:"
        let line = String(decoding: bytes, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix(name) }
        // A mask in hexadecimal digits, with commas.
        let count = line?.dropFirst(name.count).reduce(0) { $0 + ($1.hexDigitValue?.nonzeroBitCount ?? 0) }
        return count == 0 ? nil : count
    }
}

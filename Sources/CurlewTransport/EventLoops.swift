package import NIOCore
import NIOPosix

/// Where the event loops come from, so that no other module needs NIOPosix.
package enum EventLoops {
    /// The process-wide group of SwiftNIO, one loop per core; it starts with its first use and is never shut down.
    package static var shared: any EventLoopGroup { MultiThreadedEventLoopGroup.singleton }
}

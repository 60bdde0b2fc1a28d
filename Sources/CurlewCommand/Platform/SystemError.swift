#if Tools
#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// An error of the operating system.
struct SystemError: Error, Equatable, CustomStringConvertible {
    let number: Int32

    static var last: Self { Self(number: errno) }
    static let brokenPipe = Self(number: EPIPE)

    var description: String { String(cString: strerror(self.number)) }
}
#endif

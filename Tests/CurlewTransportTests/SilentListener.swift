import CurlewTransport
import NIOCore
import NIOPosix
import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// An address that answers no further attempt to connect: a listening socket that accepts nothing and whose queue is
/// full, as if a firewall dropped the packets.
final class SilentListener {
    struct Unavailable: Error {}

    let address: SocketAddress
    private let listening: CInt
    /// The connections in the queue.
    private var waiting: [CInt] = []

    /// Listens on the IPv6 address of this machine; on its IPv4 address if it has no IPv6.
    init() throws {
        let bound = try Self.listening(on: "::1", AF_INET6) ?? Self.listening(on: "127.0.0.1", AF_INET)
        guard let (listening, address) = bound else { throw Unavailable() }
        self.listening = listening
        self.address = address
        try self.fill(address.protocol == .inet6 ? AF_INET6 : AF_INET)
    }

    deinit { for number in self.waiting + [self.listening] { _ = close(number) } }

    private static func socket(_ family: CInt) -> CInt {
        #if canImport(Glibc)
        Glibc.socket(family, CInt(SOCK_STREAM.rawValue), 0)
        #elseif canImport(Musl)
        Musl.socket(family, SOCK_STREAM, 0)
        #else
        Darwin.socket(family, SOCK_STREAM, 0)
        #endif
    }

    /// Returns `nil` if the machine does not have the address.
    private static func listening(on host: String, _ family: CInt) throws -> (CInt, SocketAddress)? {
        let number = Self.socket(family)
        guard number >= 0 else { return nil }
        let any = try SocketAddress(ipAddress: host, port: 0)
        guard any.withSockAddr({ bind(number, $0, socklen_t($1)) }) == 0, listen(number, 1) == 0,
            let port = Self.port(of: number)
        else {
            _ = close(number)
            return nil
        }
        return (number, try SocketAddress(ipAddress: host, port: port))
    }

    private static func port(of number: CInt) -> Int? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutableBytes(of: &storage) { bytes in
            bytes.baseAddress.map { getsockname(number, $0.assumingMemoryBound(to: sockaddr.self), &size) }
        }
        guard result == 0 else { return nil }
        // Both kinds of address have the port in the same place.
        return withUnsafeBytes(of: &storage) { Int($0[2]) << 8 | Int($0[3]) }
    }

    /// Makes more connections than the queue has room for. Only the first is sure to be answered; the system drops the
    /// requests that find the queue full.
    private func fill(_ family: CInt) throws {
        for index in 0..<64 {
            let number = Self.socket(family)
            guard number >= 0 else { throw Unavailable() }
            self.waiting.append(number)
            if index > 0 { _ = fcntl(number, F_SETFL, O_NONBLOCK) }
            let result = self.address.withSockAddr { connect(number, $0, socklen_t($1)) }
            guard result == 0 || errno == EINPROGRESS else { throw Unavailable() }
        }
    }
}

/// Resolves every name to the same addresses.
final class FixedResolver: Resolver, Sendable {
    private let ipv6: [SocketAddress]
    private let ipv4: [SocketAddress]
    private let loop = EventLoops.shared.next()
    private let asked = Mutex<[String]>([])

    init(ipv6: [SocketAddress], ipv4: [SocketAddress]) {
        self.ipv6 = ipv6
        self.ipv4 = ipv4
    }

    /// The names of which the IPv6 addresses were asked for.
    var names: [String] { self.asked.withLock { $0 } }

    func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        self.asked.withLock { $0.append(host) }
        return self.loop.makeSucceededFuture(self.ipv6)
    }

    func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        self.loop.makeSucceededFuture(self.ipv4)
    }

    func cancelQueries() {}
}

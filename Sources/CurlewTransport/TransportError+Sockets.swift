import NIOCore
import NIOPosix

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

// Error messages for failures of sockets and of name resolution.
extension TransportError {
    /// Explains why a connection to `endpoint` failed.
    init(connectingTo endpoint: Endpoint, failedWith error: any Error, timeout: Duration) {
        switch error {
        case let error as TransportError:
            self = error
        case let error as NIOConnectionError where error.connectionErrors.isEmpty:
            self.init(
                .hostNotFound,
                "The host name \(endpoint.host) could not be resolved; check its spelling and the network.",
                cause: error)
        case let error as NIOConnectionError:
            // With several addresses, report the attempt that got furthest: an answer is more useful than a timeout,
            // and a timeout more than no route.
            let errors = error.connectionErrors.map {
                Self(connectingTo: endpoint, failedWith: $0.error, timeout: timeout)
            }
            let telling: [Code] = [.outOfResources, .connectionRefused, .timedOut, .hostUnreachable]
            self = telling.lazy.compactMap { code in errors.first { $0.code == code } }.first ?? errors[0]
        case ChannelError.connectTimeout:
            self = .timedOut(endpoint, timeout)
        case let error as IOError where error.errnoCode == EINVAL && endpoint.lacksZone:
            self.init(
                .hostUnreachable,
                "\(endpoint.host) is valid on one network of this machine only; name its interface, as in "
                    + "\(endpoint.host)%eth0.",
                cause: error)
        case is SocketAddressError where endpoint.port == nil:
            self.init(
                .invalidConfiguration,
                "The path \(endpoint) is too long for a Unix domain socket; use one of at most 103 bytes.", cause: error
            )
        case let error as IOError where endpoint.port == nil && error.errnoCode == ENOENT:
            self.init(
                .connectionRefused, "There is no socket \(endpoint); is the broker running, and is the path right?",
                cause: error)
        case let error as IOError where endpoint.port == nil && error.errnoCode == EACCES:
            self.init(
                .connectionRefused, "This user may not connect to \(endpoint); check its owner and mode.", cause: error)
        case let error as IOError where endpoint.port == nil && error.errnoCode == ECONNREFUSED:
            self.init(
                .connectionRefused,
                "\(endpoint) is not the socket of a program that runs now; is the broker running?", cause: error)
        case let error as IOError where error.errnoCode == ECONNREFUSED:
            self.init(
                .connectionRefused,
                "\(endpoint) refused the connection; is the broker running, and is the port right?",
                cause: error)
        case let error as IOError where error.errnoCode == ETIMEDOUT:
            self.init(.timedOut, "\(endpoint) did not answer.", cause: error)
        case let error as IOError where [ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL].contains(error.errnoCode):
            self.init(
                .hostUnreachable,
                "There is no route to \(endpoint); check the network and the address.", cause: error)
        case let error as IOError where ResourceShortage(errno: error.errnoCode) != nil:
            let lack = ResourceShortage(errno: error.errnoCode)?.explanation ?? ""
            self.init(.outOfResources, "No connection to \(endpoint) can be made: \(lack).", cause: error)
        default:
            self.init(
                .connectionLost,
                "The connection to \(endpoint) could not be made: \(Self.reason(error)).",
                cause: error)
        }
    }

    /// The operating system's description for its own errors.
    private static func reason(_ error: any Error) -> String {
        (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
    }

    /// Explains why listening on an address failed.
    init(listeningOn host: String, port: Int, failedWith error: any Error) {
        let reason =
            switch error {
            case let error as IOError where error.errnoCode == EADDRINUSE:
                "Port \(port) of \(host) is in use; end the program that listens there, or choose another port."
            case let error as IOError where error.errnoCode == EADDRNOTAVAIL:
                "\(host) is not an address of this machine; listen on one of its addresses, or on all with '*'."
            case let error as IOError where error.errnoCode == EACCES || error.errnoCode == EPERM:
                "This user may not listen on port \(port); choose a port above 1023."
            case let error as IOError where ResourceShortage(errno: error.errnoCode) != nil:
                "Listening on \(host), port \(port), failed: \(ResourceShortage(errno: error.errnoCode)?.explanation ?? "")."
            case let error as IOError:
                "Listening on \(host), port \(port), failed: \(String(cString: strerror(error.errnoCode)))."
            case is SocketAddressError.UnknownHost:
                "The host name \(host) could not be resolved; check its spelling."
            default: "Listening on \(host), port \(port), failed: \(error)."
            }
        self.init(.listeningFailed, reason, cause: error)
    }

    /// Explains what broke an open connection.
    init(linkTo peer: String, brokenBy error: any Error) {
        switch error {
        case let error as TransportError:
            self = error
        case let error as IOError where error.errnoCode == ECONNRESET || error.errnoCode == EPIPE:
            self.init(.connectionLost, "\(peer) reset the connection.", cause: error)
        case let error as IOError where error.errnoCode == ETIMEDOUT:
            self.init(.connectionLost, "\(peer) no longer answers.", cause: error)
        default:
            self.init(.connectionLost, "The connection to \(peer) broke: \(Self.reason(error)).", cause: error)
        }
    }

    /// Whether the network broke an open connection, not the peer.
    package var isOfNetwork: Bool {
        guard let error = self.cause as? IOError else { return false }
        return error.errnoCode != ECONNRESET && error.errnoCode != EPIPE
    }

    static func timedOut(_ endpoint: Endpoint, _ timeout: Duration) -> Self {
        Self(
            .timedOut,
            "Connecting to \(endpoint) took longer than \(timeout); check host, port and firewall.")
    }

    static func cancelled(_ endpoint: Endpoint) -> Self {
        Self(.cancelled, "Connecting to \(endpoint) was cancelled.", cause: CancellationError())
    }
}

extension Endpoint {
    /// Whether the host is a link-local IPv6 address without a zone. Each network has its own such addresses (RFC
    /// 4007).
    fileprivate var lacksZone: Bool {
        let digits = self.host.lowercased()
        return ["fe8", "fe9", "fea", "feb"].contains { digits.hasPrefix($0) } && digits.contains(":")
            && !digits.contains("%")
    }
}

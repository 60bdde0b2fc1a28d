import CurlewCore
import NIOCore
import NIOPosix

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// The file of a Unix domain socket that a listener makes.
package struct SocketFile: Hashable, Sendable {
    package let path: String
    /// The permissions of the file, such as 0o660; `nil` for those that the process gives to new files.
    package let permissions: UInt16?

    package init(path: String, permissions: UInt16? = nil) {
        self.path = path
        self.permissions = permissions
    }

    /// Binds a listener to the file, in place of one that a program has left behind.
    ///
    /// The permissions are set before anybody can connect. The library binds no sockets here: it would remove the file
    /// at the end even if it is another program's by then.
    func bind(_ bootstrap: ServerBootstrap) async throws(TransportError) -> any Channel {
        let former = self.identity
        if self.isStale { self.remove(former) }
        do {
            let descriptor = try self.makeSocket()
            return try await bootstrap.withBoundSocket(descriptor).get()
        } catch {
            throw error as? TransportError ?? TransportError(listeningOn: self, failedWith: error)
        }
    }

    private func makeSocket() throws -> CInt {
        let address = try SocketAddress(unixDomainSocketPath: self.path)
        let descriptor = socket(AF_UNIX, Self.stream, 0)
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
        do {
            guard address.withSockAddr({ Self.bind(descriptor, $0, $1) }) == 0 else {
                throw IOError(errnoCode: errno, reason: "bind")
            }
            if let permissions, chmod(self.path, mode_t(permissions)) != 0 {
                let reason = String(cString: strerror(errno))
                self.remove(self.identity)
                throw TransportError(.listeningFailed, "The permissions of \(self.path) could not be set: \(reason).")
            }
            return descriptor
        } catch {
            close(descriptor)
            throw error
        }
    }

    private static func bind(_ descriptor: CInt, _ address: UnsafePointer<sockaddr>, _ size: Int) -> CInt {
        #if canImport(Darwin)
        Darwin.bind(descriptor, address, socklen_t(size))
        #elseif canImport(Musl)
        Musl.bind(descriptor, address, socklen_t(size))
        #else
        Glibc.bind(descriptor, address, socklen_t(size))
        #endif
    }

    #if canImport(Darwin) || canImport(Musl)
    private static let stream = SOCK_STREAM
    #else
    private static let stream = CInt(SOCK_STREAM.rawValue)
    #endif

    /// Whether it is a socket on which nobody listens any more.
    private var isStale: Bool {
        guard self.isSocket, let address = try? SocketAddress(unixDomainSocketPath: self.path) else { return false }
        let descriptor = socket(AF_UNIX, Self.stream, 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        // A program whose queue of connections is full must not hold us up.
        guard fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 else { return false }
        let result = address.withSockAddr { connect(descriptor, $0, socklen_t($1)) }
        return result != 0 && errno == ECONNREFUSED
    }

    fileprivate var isSocket: Bool { self.identity != nil }

    /// Tells a socket apart from another one at the same path.
    struct Identity: Equatable, Sendable {
        let device: UInt64
        let inode: UInt64
    }

    /// The socket that is at the path now; `nil` if there is none.
    var identity: Identity? {
        var status = stat()
        guard lstat(self.path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return nil }
        return Identity(
            device: UInt64(truncatingIfNeeded: status.st_dev), inode: UInt64(truncatingIfNeeded: status.st_ino))
    }

    /// Removes a socket, unless there is another one at the path by now.
    func remove(_ identity: Identity?) { if let identity, identity == self.identity { unlink(self.path) } }
}

extension TransportError {
    /// Explains why listening on a Unix domain socket failed.
    init(listeningOn file: SocketFile, failedWith error: any Error) {
        let reason =
            switch error {
            case is SocketAddressError:
                "The path \(file.path) is too long for a Unix domain socket; use one of at most 103 bytes."
            case let error as IOError where error.errnoCode == EADDRINUSE && !file.isSocket:
                "\(file.path) exists and is not a socket; choose another path, or remove the file."
            case let error as IOError where error.errnoCode == EADDRINUSE:
                "Another program listens on \(file.path); end it, or choose another path."
            case let error as IOError where error.errnoCode == ENOENT:
                "The directory of \(file.path) does not exist; create it first."
            case let error as IOError where error.errnoCode == EACCES || error.errnoCode == EPERM:
                "This user may not create \(file.path); choose another directory."
            case let error as IOError:
                "Listening on \(file.path) failed: \(String(cString: strerror(error.errnoCode)))."
            default: "Listening on \(file.path) failed: \(error)."
            }
        self.init(.listeningFailed, reason, cause: error)
    }
}

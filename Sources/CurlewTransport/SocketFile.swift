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
    package let mode: UInt16?

    package init(path: String, mode: UInt16? = nil) {
        self.path = path
        self.mode = mode
    }

    /// Binds a listener to the file, in place of one that a program has left behind.
    func bind(_ bootstrap: ServerBootstrap) async throws(TransportError) -> any Channel {
        do {
            if self.isStale { self.remove() }
            let channel = try await bootstrap.bind(unixDomainSocketPath: self.path).get()
            do throws(TransportError) { try self.setMode() } catch {
                self.remove()
                // Closing fails only if the channel is closed.
                try? await channel.close()
                throw error
            }
            return channel
        } catch let error as TransportError {
            throw error
        } catch {
            throw TransportError(listeningOn: self, failedWith: error)
        }
    }

    /// A socket has the permissions of the umask from binding until this call. A directory that others cannot enter
    /// protects it in between.
    private func setMode() throws(TransportError) {
        guard let mode, chmod(self.path, mode_t(mode)) != 0 else { return }
        throw TransportError(
            .listeningFailed, "The permissions of \(self.path) could not be set: \(String(cString: strerror(errno))).")
    }

    /// Whether it is a socket on which nobody listens any more.
    private var isStale: Bool {
        guard self.isSocket, let address = try? SocketAddress(unixDomainSocketPath: self.path) else { return false }
        #if canImport(Darwin) || canImport(Musl)
        let kind = SOCK_STREAM
        #else
        let kind = Int32(SOCK_STREAM.rawValue)
        #endif
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let result = address.withSockAddr { connect(descriptor, $0, socklen_t($1)) }
        return result != 0 && errno == ECONNREFUSED
    }

    fileprivate var isSocket: Bool {
        var status = stat()
        return lstat(self.path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }

    /// Removes the file if it is a socket.
    func remove() { if self.isSocket { unlink(self.path) } }
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

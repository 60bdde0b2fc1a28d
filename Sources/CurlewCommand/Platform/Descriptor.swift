#if Tools
import CurlewCore
import CurlewTransport

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// A file descriptor. Calls block their thread. Paths keep the bytes of file names.
struct Descriptor: Sendable {
    let number: Int32

    static let standardInput = Self(number: STDIN_FILENO)
    static let standardOutput = Self(number: STDOUT_FILENO)
    static let standardError = Self(number: STDERR_FILENO)

    static func open(_ path: String) throws(SystemError) -> Self {
        #if canImport(Darwin)
        let number = path.withKeptCString { Darwin.open($0, O_RDONLY | O_CLOEXEC) }
        #elseif canImport(Musl)
        let number = path.withKeptCString { Musl.open($0, O_RDONLY | O_CLOEXEC) }
        #else
        let number = path.withKeptCString { Glibc.open($0, O_RDONLY | O_CLOEXEC) }
        #endif
        guard number >= 0 else { throw .last }
        return Self(number: number)
    }

    /// Opens a file for appending. Creates it if necessary, writable by its owner and readable by its group.
    static func openToAppend(_ path: String) throws(SystemError) -> Self {
        let flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC
        #if canImport(Darwin)
        let number = path.withKeptCString { Darwin.open($0, flags, 0o640) }
        #elseif canImport(Musl)
        let number = path.withKeptCString { Musl.open($0, flags, 0o640) }
        #else
        let number = path.withKeptCString { Glibc.open($0, flags, 0o640) }
        #endif
        guard number >= 0 else { throw .last }
        return Self(number: number)
    }

    /// Whether it is a terminal.
    var isTerminal: Bool { isatty(self.number) == 1 }

    /// Whether it is open for writing.
    var isWritable: Bool {
        let flags = fcntl(self.number, F_GETFL)
        return flags >= 0 && flags & O_ACCMODE != O_RDONLY
    }

    /// The current width of the terminal in characters; `nil` if it is no terminal or the width is unknown.
    var terminalWidth: Int? {
        var size = winsize()
        guard ioctl(self.number, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Int(size.ws_col)
    }

    func closeFile() { _ = close(self.number) }

    /// Reads up to `count` bytes, as many as are available; none at the end.
    func readSome(_ count: Int) throws(SystemError) -> [UInt8] {
        var result = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            repeat { result = read(self.number, buffer.baseAddress, count) } while result < 0 && errno == EINTR
            filled = max(0, result)
        }
        guard result >= 0 else { throw .last }
        return bytes
    }

    func writeAll(_ bytes: [UInt8]) throws(SystemError) {
        var rest = bytes[...]
        while !rest.isEmpty { rest = rest.dropFirst(try self.writeSome(rest)) }
    }

    /// Writes as many bytes as possible in one call, at least one. Returns their number.
    func writeSome(_ bytes: ArraySlice<UInt8>) throws(SystemError) -> Int {
        while true {
            let written = bytes.withUnsafeBytes { write(self.number, $0.baseAddress, $0.count) }
            if written >= 0 { return written }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                // Another process has made the shared descriptor non-blocking.
                var poller = pollfd(fd: self.number, events: Int16(POLLOUT), revents: 0)
                _ = poll(&poller, 1, -1)
            default: throw .last
            }
        }
    }
}
#endif

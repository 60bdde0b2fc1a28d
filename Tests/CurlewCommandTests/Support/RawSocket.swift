#if Tools
import Foundation

/// A TCP connection to this machine, made with system calls instead of the library.
final class RawSocket {
    private let descriptor: Int32

    /// Connects; `nil` if the system refuses.
    init?(port: String) {
        #if canImport(Darwin)
        let kind = SOCK_STREAM
        #else
        let kind = Int32(SOCK_STREAM.rawValue)
        #endif
        self.descriptor = socket(AF_INET, kind, 0)
        guard self.descriptor >= 0, let port = UInt16(port) else { return nil }
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(self.descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(self.descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { return nil }
    }

    deinit { close(self.descriptor) }

    func write(_ bytes: [UInt8]) { _ = send(self.descriptor, bytes, bytes.count, 0) }

    /// The next bytes; none at the end, or if none arrive within half a minute.
    func read() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = recv(self.descriptor, &bytes, bytes.count, 0)
        return Array(bytes.prefix(max(0, count)))
    }
}
#endif

#if Tools
#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Both ends of a pipe. Neither is inherited by processes that are started.
struct PipeEnds: Sendable {
    let reading: Descriptor
    let writing: Descriptor

    init() throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw .last }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        self.reading = Descriptor(number: ends[0])
        self.writing = Descriptor(number: ends[1])
    }

    func close() {
        self.reading.closeFile()
        self.writing.closeFile()
    }
}
#endif

#if Tools
import CurlewTransport
import Dispatch

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

extension Descriptor {
    /// Waits until the reader of this pipe or socket has closed its end. Returns `false` when the task is cancelled,
    /// and at once if this is neither a pipe nor a socket.
    func waitUntilReaderCloses() async -> Bool {
        guard self.hasReader, let wake = try? PipeEnds() else { return false }
        defer { wake.close() }
        let isClosed = OneShot<Bool>()
        // A thread of its own, because `poll` blocks. The second pipe ends the call when the task is cancelled.
        DispatchQueue(label: "curlew.reader").async {
            isClosed.set(self.pollForClosedReader(orReadable: wake.reading))
        }
        return await withTaskCancellationHandler {
            await isClosed.waitRegardless() ?? false
        } onCancel: {
            try? wake.writing.writeAll([0])
        }
    }

    /// Whether another process reads what is written here and can close its end.
    private var hasReader: Bool {
        var status = stat()
        guard fstat(self.number, &status) == 0 else { return false }
        return [S_IFIFO, S_IFSOCK].contains(status.st_mode & S_IFMT)
    }

    private func pollForClosedReader(orReadable other: Descriptor) -> Bool {
        // `poll` reports a closed reader even if no events are requested.
        var polled = [
            pollfd(fd: self.number, events: 0, revents: 0),
            pollfd(fd: other.number, events: Int16(POLLIN), revents: 0),
        ]
        while poll(&polled, nfds_t(polled.count), -1) < 0 {
            guard errno == EINTR else { return false }
        }
        return polled[0].revents & Int16(POLLERR | POLLHUP) != 0
    }
}
#endif

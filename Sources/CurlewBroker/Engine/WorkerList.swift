import NIOCore
import Synchronization

/// The workers of a broker, by their event loop.
final class WorkerList: Sendable {
    /// Guards the list, which is set once before the first connection.
    private let workers = Mutex<[Worker]>([])

    func set(_ workers: [Worker]) { self.workers.withLock { $0 = workers } }

    var all: [Worker] { self.workers.withLock { $0 } }

    /// The worker of that loop; connections only come on loops that have one.
    func worker(of eventLoop: any EventLoop) -> Worker {
        let workers = self.all
        return workers.first { $0.eventLoop === eventLoop } ?? workers[0]
    }
}

import DequeModule
package import NIOCore
import Synchronization

/// Runs tasks on an event loop, so that a task that waits for the network resumes without a thread switch.
///
/// Jobs that become ready together wake the loop only once.
package final class EventLoopExecutor: TaskExecutor {
    private let eventLoop: any EventLoop
    /// Guards the ready jobs, and whether the loop has been asked to run them.
    private let ready = Mutex((jobs: Deque<UnownedJob>(), isScheduled: false))

    package init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let mustSchedule = self.ready.withLock { ready in
            ready.jobs.append(job)
            defer { ready.isScheduled = true }
            return !ready.isScheduled
        }
        if mustSchedule { self.eventLoop.execute { self.run() } }
    }

    /// Runs the jobs that are ready now. Later ones run after the loop has polled its sockets.
    private func run() {
        var jobs = self.ready.withLock { ready in
            ready.isScheduled = false
            return exchange(&ready.jobs, with: Deque())
        }
        while let job = jobs.popFirst() {
            job.runSynchronously(on: self.asUnownedTaskExecutor())
        }
    }
}

import CurlewTransport
import TaskHook

/// Has all tasks run on the fuzzed broker's event loop, and thus on the one thread and in an order that the input alone decides.
///
/// The journal of a broker with a store commits in a task of no executor of its own, and would do so on other threads, at any time.
enum GlobalTasks {
    // Set and used on one thread.
    nonisolated(unsafe) private static var executor: EventLoopExecutor?

    static func run(on executor: EventLoopExecutor) {
        self.executor = executor
        CurlewHookGlobalTasks { job in
            guard let job, let executor = GlobalTasks.executor else { fatalError("a task came from nowhere") }
            // A job is a pointer to the runtime, which C has kept from Swift.
            executor.enqueue(ExecutorJob(unsafeBitCast(job, to: UnownedJob.self)))
        }
    }
}

import CurlewTransport
import TaskHook

/// Runs all tasks on the fuzzed broker's event loop: on a single thread, in an order that only the input determines.
///
/// The journal of a broker with a store commits in a task without its own executor, which would otherwise run on other
/// threads at any time.
enum GlobalTasks {
    // Set and used on a single thread.
    nonisolated(unsafe) private static var executor: EventLoopExecutor?

    static func run(on executor: EventLoopExecutor) {
        self.executor = executor
        CurlewHookGlobalTasks { job in
            guard let job, let executor = GlobalTasks.executor else { fatalError("a task came from nowhere") }
            // A job is a pointer from the runtime, which had to pass through C.
            executor.enqueue(ExecutorJob(unsafeBitCast(job, to: UnownedJob.self)))
        }
    }
}

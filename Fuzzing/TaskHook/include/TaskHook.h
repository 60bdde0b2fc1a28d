// Swift's runtime has a hook for a program to take over its tasks. It has Swift's calling convention, which only C can
// declare.

/// From now on, passes tasks that are ready for the global executor to `enqueue`, on the thread that made them ready.
void CurlewHookGlobalTasks(void (*enqueue)(void *job));

// Where Swift's runtime lets a program take over its tasks: the hook has the calling convention of Swift, which only C can spell.

/// From now on, hands tasks that are ready for the global executor to `enqueue`, on the thread that made them ready.
void CurlewHookGlobalTasks(void (*enqueue)(void *job));

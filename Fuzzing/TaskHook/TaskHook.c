#include "TaskHook.h"

typedef __attribute__((swiftcall)) void (*Original)(void *job);

// From the runtime: `swift/Runtime/Concurrency.h` in Swift's sources.
extern __attribute__((swiftcall)) void (*swift_task_enqueueGlobal_hook)(void *job, Original original);

static void (*receiver)(void *job);

static __attribute__((swiftcall)) void hook(void *job, Original original) { receiver(job); }

void CurlewHookGlobalTasks(void (*enqueue)(void *job)) {
    receiver = enqueue;
    swift_task_enqueueGlobal_hook = hook;
}

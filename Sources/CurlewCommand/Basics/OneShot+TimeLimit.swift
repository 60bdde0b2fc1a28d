#if Tools
import CurlewTransport

extension OneShot {
    /// Waits until the value is set; `nil` if the time passes or the task is cancelled before.
    func wait(within limit: Duration) async -> Value? {
        await withTaskGroup(of: Value?.self) { group in
            group.addTask { await self.wait() }
            group.addTask {
                try? await Task.sleep(for: limit)
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }
}
#endif

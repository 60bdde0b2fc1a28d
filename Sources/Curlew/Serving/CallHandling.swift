import CurlewCore
import CurlewTransport

/// A handler at work, and its result or that of its deadline.
struct CallHandling {
    typealias Outcome = Result<any Encodable & Sendable, MQTTDeviceError>

    let result: Outcome
    /// The handler, which may go on after the end of its time.
    private var late: Task<Void, Never>?
    /// Whether the handler may still be at work.
    private(set) var goesOn = false

    init(_ result: Outcome) { self.result = result }

    /// Runs a handler. At the end of its time, cancels it and goes on without its result.
    init(
        until end: Timestamp, by deadlines: Deadlines, orElse timedOut: @escaping @Sendable () -> MQTTDeviceError,
        _ handle: @escaping @Sendable () async -> Outcome
    ) async {
        let outcome = OneShot<Outcome>()
        let handler = Self.start { outcome.set(await handle()) }
        // Most handlers need not wait for anything.
        if let result = outcome.value {
            self.result = result
            return
        }
        let isLate = Latch()
        let deadline = deadlines.schedule(at: end) {
            isLate.raise()
            handler.cancel()
            outcome.set(.failure(timedOut()))
        }
        let result = await withTaskCancellationHandler {
            await outcome.waitRegardless()
        } onCancel: {
            handler.cancel()
        }
        deadlines.cancel(deadline)
        self.goesOn = isLate.isRaised
        self.result = isLate.isRaised ? .failure(timedOut()) : result ?? .failure(timedOut())
        self.late = handler
    }

    /// Waits for the end of the handler.
    func isOver() async { await self.late?.value }

    /// Starts a task on the current thread, until it has to wait, where the system can do that.
    private static func start(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        if #available(macOS 26, iOS 26, tvOS 26, watchOS 26, visionOS 26, *) { return Task.immediate { await body() } }
        return Task { await body() }
    }
}

#if Tools
import Curlew
import CurlewTransport
import Dispatch
import Synchronization

/// Standard output, written on a thread of its own. While one write is in progress, the next batch is collected: many
/// messages take few system calls, and a single message is written at once.
final class Output: Sendable {
    fileprivate enum Phase {
        case idle
        case writing
        /// Nothing more is written.
        case failed(SystemError)
    }

    fileprivate struct State {
        var phase = Phase.idle
        var pending: [UInt8] = []
        /// The messages in `pending` that wait for their acknowledgement.
        var messages: [MQTTMessage] = []
        /// The bytes of memory that these messages hold.
        var held = 0
        /// The number of messages in `pending`.
        var count = 0
        /// The number of messages that are being written.
        var writing = 0
        /// Those that wait for the current write.
        var waiting: [OneShot<Void>] = []
    }

    /// The bytes that are collected, including those of messages kept for their acknowledgement, before `append` waits.
    private static let limit = 1 << 20
    /// How long a cancelled task waits until everything is written.
    private static let grace = Duration.milliseconds(700)

    /// Guards what is to be written and who waits for it.
    private let state = Mutex(State())
    private let descriptor: Descriptor
    private let queue = DispatchQueue(label: "curlew.output")
    private let written: @Sendable ([MQTTMessage]) -> Void
    /// Set when a write has failed, or the reader has closed the pipe.
    private let lost = OneShot<SystemError>()

    /// - Parameter written: Called with the messages that have been written, on the thread that wrote them.
    init(_ descriptor: Descriptor, written: @escaping @Sendable ([MQTTMessage]) -> Void = { _ in }) {
        self.descriptor = descriptor
        self.written = written
    }

    /// Adds the text of one message, and waits while too much is collected.
    ///
    /// - Throws: The error of an earlier write.
    func append(_ message: MQTTMessage, _ bytes: (inout [UInt8]) -> Void) async throws(SystemError) {
        var begins = false
        let room: OneShot<Void>? = self.state.withLock { state in
            bytes(&state.pending)
            state.count += 1
            if message.isToBeAcknowledged {
                state.messages.append(message)
                state.held += message.footprint
            }
            if case .idle = state.phase {
                state.phase = .writing
                begins = true
            }
            return state.pending.count + state.held > Self.limit ? state.wait() : nil
        }
        if begins { self.queue.async { self.write() } }
        _ = await room?.wait()
        if let failure { throw failure }
    }

    /// The number of messages that were added and not written.
    var unwrittenCount: Int { self.state.withLock { $0.count + $0.writing } }

    /// Waits until everything is written. A cancelled task waits only briefly, because the reader may have stopped
    /// reading.
    func finish() async throws(SystemError) {
        while let done = self.state.withLock({ $0.wait() }) {
            guard await done.wait() == nil else { continue }
            await self.finishSoon()
            break
        }
        if let failure { throw failure }
    }

    private func finishSoon() async {
        // Waiting in a cancelled task would end at once.
        await Task {
            let deadline = ContinuousClock.now + Self.grace
            while let done = self.state.withLock({ $0.wait() }) {
                guard await done.wait(within: deadline - .now) != nil else { return }
            }
        }.value
    }

    // MARK: Readers that leave

    /// Runs `body`, which writes here. Calls `end` once if nothing can be written any more: because a write has failed,
    /// or because the reader of a pipe has closed it, even while there is nothing to write.
    ///
    /// - Parameter end: Makes `body` return, which may be waiting for the next message.
    func untilReaderCloses(end: @escaping @Sendable () async -> Void, _ body: () async throws -> Void) async throws {
        try await self.untilWriteFails(end: end) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    if await self.descriptor.waitUntilReaderCloses() { self.fail(.brokenPipe) }
                }
                defer { group.cancelAll() }
                try await body()
            }
        }
    }

    /// Runs `body`, which writes here. Calls `end` once if a write fails.
    ///
    /// - Parameter end: Makes `body` return, which may be waiting for the next message.
    func untilWriteFails(end: @escaping @Sendable () async -> Void, _ body: () async throws -> Void) async throws {
        try await Self.toleratingBrokenPipe {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { if await self.lost.wait() != nil { await end() } }
                defer { group.cancelAll() }
                try await body()
            }
        }
    }

    /// Runs `body`, which writes to standard output. A pipe whose reader has closed it ends `body` and is no failure.
    static func toleratingBrokenPipe(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as SystemError where error != .brokenPipe {
            throw CommandFailure("Standard output cannot be written: \(error).")
        } catch is SystemError {}
    }

    private var failure: SystemError? {
        self.state.withLock { state in if case .failed(let error) = state.phase { error } else { nil } }
    }

    private func fail(_ error: SystemError) {
        let waiting = self.state.withLock { state in
            state.phase = .failed(error)
            return exchange(&state.waiting, with: [])
        }
        for one in waiting { one.set(()) }
        self.lost.set(error)
    }

    // MARK: On the queue

    private func write() {
        while let (bytes, messages) = self.state.withLock({ $0.take() }) {
            do throws(SystemError) {
                try self.descriptor.writeAll(bytes)
            } catch {
                return self.fail(error)
            }
            let waiting = self.state.withLock { state in
                state.writing = 0
                return exchange(&state.waiting, with: [])
            }
            self.written(messages)
            for one in waiting { one.set(()) }
        }
    }
}

extension Output.State {
    /// Waits for the current write; `nil` if there is none.
    fileprivate mutating func wait() -> OneShot<Void>? {
        guard case .writing = self.phase else { return nil }
        let done = OneShot<Void>()
        self.waiting.append(done)
        return done
    }

    /// Takes the text and messages to write next. If there are none, ends the write and returns `nil`.
    fileprivate mutating func take() -> ([UInt8], [MQTTMessage])? {
        guard case .writing = self.phase else { return nil }
        guard self.count > 0 else {
            self.phase = .idle
            for one in self.waiting { one.set(()) }
            self.waiting = []
            return nil
        }
        self.held = 0
        self.writing = exchange(&self.count, with: 0)
        return (exchange(&self.pending, with: []), exchange(&self.messages, with: []))
    }
}
#endif

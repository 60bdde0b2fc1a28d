#if Tools
import Curlew
import CurlewTransport
import Dispatch
import Synchronization

/// Standard output, written on a thread of its own: while one write is under way the next batch gathers, so that a flood
/// takes few system calls and a lone message none to wait for.
final class Output: Sendable {
    fileprivate enum Phase {
        case idle
        case writing
        /// Nothing is written any more.
        case failed(SystemError)
    }

    fileprivate struct State {
        var phase = Phase.idle
        var pending: [UInt8] = []
        /// What is told when `pending` is written: messages that wait for their acknowledgement.
        var messages: [MQTTMessage] = []
        /// How many bytes of memory these hold.
        var held = 0
        /// How many messages `pending` stands for.
        var count = 0
        /// How many are being written.
        var writing = 0
        /// Who waits for the present write.
        var waiting: [OneShot<Void>] = []
    }

    /// How many bytes gather, those of messages that are kept for their acknowledgement included, before whoever adds to them
    /// waits.
    private static let limit = 1 << 20
    /// How long a cancelled task waits for what is still to be written.
    private static let grace = Duration.milliseconds(700)

    /// Guards what is to be written and who waits for it.
    private let state = Mutex(State())
    private let descriptor: Descriptor
    private let queue = DispatchQueue(label: "curlew.output")
    private let written: @Sendable ([MQTTMessage]) -> Void
    private let failed: @Sendable () -> Void

    /// - Parameters:
    ///   - written: Called with the messages that have been written, on the thread that did it.
    ///   - failed: Called once, when writing has failed: whoever waits for the next message waits in vain.
    init(
        _ descriptor: Descriptor, written: @escaping @Sendable ([MQTTMessage]) -> Void,
        failed: @escaping @Sendable () -> Void
    ) {
        self.descriptor = descriptor
        self.written = written
        self.failed = failed
    }

    /// Adds what stands for one message, and waits while too much has gathered.
    ///
    /// - Throws: What kept something from being written.
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

    /// How many messages were added and not written.
    var unwrittenCount: Int { self.state.withLock { $0.count + $0.writing } }

    /// Waits until everything is written. A cancelled task waits for a moment only: a reader may have ceased to read.
    func finish() async throws(SystemError) {
        while let done = self.state.withLock({ $0.wait() }) {
            guard await done.wait() == nil else { continue }
            await self.finishSoon()
            break
        }
        if let failure { throw failure }
    }

    private func finishSoon() async {
        let isOver = OneShot<Void>()
        let writing = Task {
            while let done = self.state.withLock({ $0.wait() }), await done.wait() != nil {}
            isOver.set(())
        }
        let timer = Task {
            try await Task.sleep(for: Self.grace)
            isOver.set(())
        }
        _ = await isOver.waitRegardless()
        writing.cancel()
        timer.cancel()
    }

    /// Runs what writes. A pipe whose reader has seen enough and gone is the end of it, and no failure.
    static func whileWanted(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as SystemError where error != .brokenPipe {
            throw Failure("Standard output cannot be written: \(error).")
        } catch is SystemError {}
    }

    private var failure: SystemError? {
        self.state.withLock { state in if case .failed(let error) = state.phase { error } else { nil } }
    }

    private func write() {
        while let (bytes, messages) = self.state.withLock({ $0.take() }) {
            do throws(SystemError) {
                try self.descriptor.writeAll(bytes)
                self.state.withLock { $0.writing = 0 }
                self.written(messages)
            } catch {
                self.state.withLock { $0.phase = .failed(error) }
                self.failed()
            }
            let waiting = self.state.withLock { exchange(&$0.waiting, with: []) }
            for one in waiting { one.set(()) }
        }
    }
}

extension Output.State {
    /// Waits for the write that is under way; `nil` when there is none.
    fileprivate mutating func wait() -> OneShot<Void>? {
        guard case .writing = self.phase else { return nil }
        let done = OneShot<Void>()
        self.waiting.append(done)
        return done
    }

    /// What is to be written next; `nil`, and an end to writing, when there is nothing.
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

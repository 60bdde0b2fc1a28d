#if Tools
    import Curlew
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
            /// What is told when `pending` is written.
            var messages: [MQTTMessage] = []
            /// Who waits for the present write.
            var waiting: [OneShot<Void>] = []
        }

        /// How much gathers before whoever adds to it waits.
        private static let limit = 1 << 20

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
                state.messages.append(message)
                if case .idle = state.phase {
                    state.phase = .writing
                    begins = true
                }
                return state.pending.count > Self.limit ? state.wait() : nil
            }
            if begins { self.queue.async { self.write() } }
            _ = await room?.wait()
            if let failure { throw failure }
        }

        /// Waits until everything is written.
        func finish() async throws(SystemError) {
            while !Task.isCancelled, let done = self.state.withLock({ $0.wait() }) { _ = await done.wait() }
            if let failure { throw failure }
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
            guard !self.messages.isEmpty else {
                self.phase = .idle
                for one in self.waiting { one.set(()) }
                self.waiting = []
                return nil
            }
            return (exchange(&self.pending, with: []), exchange(&self.messages, with: []))
        }
    }
#endif

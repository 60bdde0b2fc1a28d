import CurlewCore
import CurlewTransport
import Logging
import NIOCore
import Synchronization
import Tracing

/// Handles the calls of one device.
final class CallServer: Sendable {
    private typealias Memory = AnswerMemory<MQTTDialect.RequestKey, MQTTDialect.EncodedAnswer?, MQTTMessage>

    private let device: String
    private let dialect: MQTTDialect
    private let methods: [String: MQTTMethod]
    private let subscription: MQTTSubscription
    private let client: MQTTClient
    private let onEnded: @Sendable () -> Void
    private let lanes: Mutex<RouteLanes<Job, String>>
    private let memory: Mutex<Memory>
    /// The loop waits until fewer calls wait.
    private let changed = Condition()

    private struct Job: Sendable {
        let call: MQTTCall
        let work: Work
    }

    private enum Work: Sendable {
        /// Calls the method, if there is one, and answers.
        ///
        /// The key of the request in the memory of answers is `nil` if nothing identifies it.
        case handle(MQTTMethod?, MQTTDialect.AnswerAddress?, MQTTDialect.RequestKey?)
        /// Answers as before.
        case answerAgain(MQTTDialect.EncodedAnswer?)
    }

    /// How many calls are taken from the queue before they can be handled, to find methods that are not busy.
    private static let lookAhead = 64
    /// How long an answer is remembered if its request does not expire earlier.
    private static let memoryTime = Duration.seconds(300)

    init(
        _ device: String, _ dialect: MQTTDialect, _ methods: [MQTTMethod], _ subscription: MQTTSubscription,
        _ client: MQTTClient, concurrency: Int, onEnded: @escaping @Sendable () -> Void
    ) {
        self.device = device
        self.dialect = dialect
        self.subscription = subscription
        self.client = client
        self.onEnded = onEnded
        let byName = Dictionary(methods.map { (dialect.comparable($0.name), $0) }) { first, _ in first }
        self.methods = byName
        self.lanes = Mutex(RouteLanes(width: concurrency) { byName[$0]?.width ?? .max })
        self.memory = Mutex(Memory(limit: client.configuration.limits.rememberedAnswerBytes))
    }

    private var engine: ClientEngine { self.client.engine }

    func run(concurrency: Int) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            var iterator = self.subscription.makeAsyncIterator()
            while let message = try await iterator.next() {
                await self.changed.wait { self.lanes.withLock { $0.count >= concurrency + Self.lookAhead } }
                guard let job = self.job(message) else { continue }
                let key = self.dialect.comparable(job.call.method)
                guard self.lanes.withLock({ $0.add(job, key: key) }) == .run else { continue }
                group.addTask { await self.work(job) }
            }
            // The client was disconnected, so there are no more answers.
            group.cancelAll()
        }
    }

    /// Decodes a request; `nil` if there is nothing to do.
    private func job(_ message: MQTTMessage) -> Job? {
        guard let request = self.dialect.request(in: message, for: self.device) else {
            self.engine.logger.debug("not a call", metadata: ["topic": "\(message.topic)"])
            self.acknowledge(message)
            return nil
        }
        let now = self.engine.clock.now()
        let call = MQTTCall(
            method: request.method, device: self.device, source: request.source, message: message,
            end: message.properties.messageExpiryInterval.map { now + .seconds(Int64($0)) },
            place: self.dialect.request.params, olderPlace: self.dialect.request.olderParams,
            coder: self.client.configuration.payloadCoder)
        let method = self.methods[self.dialect.comparable(request.method)]
        guard let key = request.answer.flatMap({ self.dialect.key(of: message, $0) }) else {
            return Job(call: call, work: .handle(method, request.answer, nil))
        }
        let isRepeated = message.isDuplicate || key.isUnguessable
        let delivery = message.token == nil ? nil : message
        switch self.memory.withLock({ $0.begin(key, delivery, isRepeated: isRepeated, now: now) }) {
        case .new: return Job(call: call, work: .handle(method, request.answer, key))
        case .separate: return Job(call: call, work: .handle(method, request.answer, nil))
        case .answered(let answer): return Job(call: call, work: .answerAgain(answer))
        case .running(let earlier):
            if let earlier { self.acknowledge(earlier) }
            return nil
        }
    }

    /// Handles a call, then those that wait for its place.
    private func work(_ first: Job) async {
        var current: Job? = first
        while let job = current {
            await self.process(job)
            let key = self.dialect.comparable(job.call.method)
            current = self.lanes.withLock { $0.ended(key) }?.job
            self.changed.wakeAll()
        }
    }

    private func process(_ job: Job) async {
        switch job.work {
        case .answerAgain(let answer):
            if let answer { await self.send(answer, to: job.call) }
            self.acknowledge(job.call.message)
        case .handle(let method, let address, let key): await self.handle(job.call, method, address, key)
        }
    }

    private func handle(
        _ call: MQTTCall, _ method: MQTTMethod?, _ address: MQTTDialect.AnswerAddress?, _ key: MQTTDialect.RequestKey?
    ) async {
        guard !Task.isCancelled else { return self.giveUp(call, key) }
        // The caller of a call that waited too long has given up.
        guard self.isAwaited(call) else { return self.end(call, nil, key) }
        let result: Result<any Encodable & Sendable, MQTTDeviceError>
        if call.message.properties.userProperties.isEmpty {
            result = await self.result(of: call, method)
        } else {
            result = await ServiceContext.withValue(self.engine.context(of: call.message)) {
                await self.result(of: call, method)
            }
        }
        if Task.isCancelled, case .failure = result { return self.giveUp(call, key) }
        let answer = address.flatMap { self.encode(result, to: $0) }
        if let answer, self.isAwaited(call), await !self.send(answer, to: call), Task.isCancelled {
            return self.giveUp(call, key)
        }
        self.end(call, answer, key)
    }

    /// Whether the caller still waits for the answer.
    private func isAwaited(_ call: MQTTCall) -> Bool { call.end.map { self.engine.clock.now() < $0 } ?? true }

    private func encode(
        _ result: Result<any Encodable & Sendable, MQTTDeviceError>, to address: MQTTDialect.AnswerAddress
    ) -> MQTTDialect.EncodedAnswer? {
        let coder = self.client.configuration.payloadCoder
        do {
            return try self.dialect.encode(result, to: address, coder: coder)
        } catch {
            self.engine.logger.warning("answer cannot be encoded", metadata: ["error": "\(error)"])
            let failure = MQTTDeviceError(self.dialect.errorCodes.failed, "The result cannot be encoded.")
            return (try? self.dialect.encode(.failure(failure), to: address, coder: coder)) ?? nil
        }
    }

    // MARK: The handler

    private func result(
        of call: MQTTCall, _ method: MQTTMethod?
    ) async -> Result<any Encodable & Sendable, MQTTDeviceError> {
        let codes = self.dialect.errorCodes
        guard let method else {
            let names = self.methods.values.map(\.name)
            if let listing = self.dialect.listing(names), listing.method == call.method {
                return .success(listing.answer)
            }
            return .failure(MQTTDeviceError(codes.unknownMethod, "No handler for \(call.method)"))
        }
        do {
            return .success(try await self.limited(method, call))
        } catch let error as MQTTDeviceError {
            return .failure(error)
        } catch let error as MQTTError where error.code == .decodingFailed {
            return .failure(MQTTDeviceError(codes.badParameters, error.message))
        } catch let error as HandlerTimedOut {
            return .failure(MQTTDeviceError(codes.timedOut, "\(method.name) took longer than \(error.limit)."))
        } catch {
            let metadata: Logger.Metadata = ["method": "\(method.name)", "error": "\(error)"]
            self.engine.logger.debug("call failed", metadata: metadata)
            return .failure(MQTTDeviceError(codes.failed, "\(error)"))
        }
    }

    private struct HandlerTimedOut: Error { let limit: Duration }

    /// Runs the handler, and cancels it at the end of its time.
    private func limited(_ method: MQTTMethod, _ call: MQTTCall) async throws -> any Encodable & Sendable {
        let now = self.engine.clock.now()
        let own = method.timeLimit.map { now + $0 }
        guard let end = [own, call.end].compactMap(\.self).min() else { return try await method.handle(call) }
        let handler = Task { try await method.handle(call) }
        let isOver = Latch()
        let deadline = self.engine.deadlines.schedule(at: end) {
            isOver.raise()
            handler.cancel()
        }
        defer { self.engine.deadlines.cancel(deadline) }
        let result = await withTaskCancellationHandler {
            await handler.result
        } onCancel: {
            handler.cancel()
        }
        if isOver.isRaised { throw HandlerTimedOut(limit: method.timeLimit ?? end - now) }
        return try result.get()
    }

    // MARK: The end of a call

    /// Publishes an answer. Returns whether the broker has it.
    @discardableResult
    private func send(_ answer: MQTTDialect.EncodedAnswer, to call: MQTTCall) async -> Bool {
        var properties = answer.properties
        if let end = call.end {
            let left = end - self.engine.clock.now()
            properties.messageExpiryInterval = UInt32(clamping: max(1, left.components.seconds))
        }
        do {
            try await self.client.publish(
                answer.payload, to: answer.topic, qos: self.dialect.qos, retain: false, properties: properties)
            return true
        } catch {
            if !Task.isCancelled {
                let metadata: Logger.Metadata = ["topic": "\(answer.topic)", "error": "\(error)"]
                self.engine.logger.warning("answer not sent", metadata: metadata)
            }
            return false
        }
    }

    private func end(_ call: MQTTCall, _ answer: MQTTDialect.EncodedAnswer?, _ key: MQTTDialect.RequestKey?) {
        if let key {
            let now = self.engine.clock.now()
            let until = min(call.end ?? now + Self.memoryTime, now + Self.memoryTime)
            let bytes = (answer?.byteCount ?? 0) + key.byteCount
            let later = self.memory.withLock { $0.ended(key, answer, bytes: bytes, until: until) }
            if let later { self.acknowledge(later) }
        }
        self.acknowledge(call.message)
        self.onEnded()
    }

    /// The server's task is cancelled: an unfinished call goes to the next server, of this client or of the next run.
    private func giveUp(_ call: MQTTCall, _ key: MQTTDialect.RequestKey?) {
        let later = key.flatMap { key in self.memory.withLock { $0.gaveUp(key) } }
        self.engine.handBack(([call.message] + [later].compactMap(\.self)).filter { $0.token != nil })
    }

    private func acknowledge(_ message: MQTTMessage) {
        // Each delivery is acknowledged once, with the policy `.manual`, so this does not throw.
        try? self.subscription.acknowledge(message)
    }
}

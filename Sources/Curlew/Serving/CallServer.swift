import CurlewCore
import CurlewTransport
import Logging
import NIOCore
import Synchronization
import Tracing

/// Handles the calls of one device.
final class CallServer: Sendable {
    private let device: String
    private let dialect: MQTTDialect
    private let methods: [String: MQTTMethod]
    private let subscription: MQTTSubscription
    private let client: MQTTClient
    private let onEnded: @Sendable () -> Void
    /// Guards the calls that were taken from the queue.
    private let intake: Mutex<Intake>
    /// The maximum number of calls that are taken from the queue: more than can be handled at once, to find methods
    /// that are not busy.
    private let maximumTaken: Int

    private struct Intake {
        var lanes: RouteLanes<Job, String>
        /// What was answered to recent requests.
        var memory: AnswerMemory<MQTTDialect.RequestKey, MQTTDialect.EncodedAnswer?, MQTTMessage>
    }

    /// What to do with a request.
    struct Job: Sendable {
        fileprivate let call: MQTTCall
        fileprivate let work: Work
        /// The method, if it limits how many of its calls are handled at once.
        fileprivate var lane: String?
    }

    fileprivate enum Work: Sendable {
        /// Calls the method, if there is one, and answers.
        ///
        /// The key of the request in the memory of answers is `nil` if nothing identifies it.
        case handle(MQTTMethod?, MQTTDialect.AnswerAddress?, MQTTDialect.RequestKey?)
        /// Answers as before.
        case answerAgain(MQTTDialect.EncodedAnswer?)
    }

    /// How many calls are taken from the queue before they can be handled.
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
        self.maximumTaken = concurrency < .max - Self.lookAhead ? concurrency + Self.lookAhead : .max
        self.intake = Mutex(
            Intake(
                lanes: RouteLanes(width: concurrency) { byName[$0]?.width ?? .max },
                memory: AnswerMemory(limit: client.configuration.limits.rememberedAnswerBytes)))
    }

    private var engine: ClientEngine { self.client.engine }

    /// Handles calls until the task is cancelled or the subscription ends.
    func run(_ workers: Workers<Job>) async throws {
        try await workers.run(
            take: { try self.take() },
            hasNews: {
                self.subscription.buffer.hasNews && self.intake.withLock { $0.lanes.count < self.maximumTaken }
            },
            work: { job in
                var current: Job? = job
                while let job = current {
                    await self.process(job)
                    current = self.ended(job, workers)
                }
            })
    }

    // MARK: Taking calls

    /// Takes the next call that can be handled now.
    private func take() throws -> Workers<Job>.Taken {
        while true {
            let (taken, done) = self.intake.withLock { intake in self.take(&intake) }
            for message in done { self.acknowledge(message) }
            if let taken { return try taken.get() }
        }
    }

    /// Takes calls, in the order of their arrival.
    ///
    /// - Returns: What was found, `nil` to go on; and messages that need nothing else than to be acknowledged.
    private func take(_ intake: inout Intake) -> (Result<Workers<Job>.Taken, MQTTError>?, done: [MQTTMessage]) {
        while intake.lanes.count < self.maximumTaken {
            switch self.subscription.buffer.poll() {
            case .empty: return (.success(.nothing), [])
            case .ended(nil): return (.success(.end), [])
            case .ended(let error?): return (.failure(error), [])
            case .message(let message):
                let job: Job
                switch self.job(message, &intake) {
                case .job(let next): job = next
                case .done(let messages): return (nil, messages)
                }
                if case .run = intake.lanes.add(job, key: job.lane) {
                    return (.success(.work(job)), [])
                }
            }
        }
        return (.success(.nothing), [])
    }

    private enum Received {
        case job(Job)
        /// There is nothing to do but to acknowledge messages.
        case done([MQTTMessage])
    }

    /// Decodes a request.
    private func job(_ message: MQTTMessage, _ intake: inout Intake) -> Received {
        guard let request = self.dialect.request(in: message, for: self.device) else { return .done([message]) }
        let call = MQTTCall(
            method: request.method, device: self.device, source: request.source, message: message, end: message.expiry,
            place: request.params, hasParams: request.hasParams, coder: self.client.configuration.payloadCoder)
        let name = self.dialect.comparable(request.method)
        let method = self.methods[name]
        let lane = method?.width == nil ? nil : name
        guard let key = request.answer.flatMap({ self.dialect.key(of: message, $0) }) else {
            return .job(Job(call: call, work: .handle(method, request.answer, nil), lane: lane))
        }
        let isRepeated = message.isDuplicate || key.isUnguessable
        let delivery = message.token == nil ? nil : message
        switch intake.memory.begin(key, delivery, isRepeated: isRepeated, now: self.engine.clock.now()) {
        case .new: return .job(Job(call: call, work: .handle(method, request.answer, key), lane: lane))
        case .separate: return .job(Job(call: call, work: .handle(method, request.answer, nil), lane: lane))
        case .answered(let answer): return .job(Job(call: call, work: .answerAgain(answer)))
        case .running(let earlier): return .done([earlier].compactMap(\.self))
        }
    }

    /// Returns the next job in the place of one that ended.
    private func ended(_ job: Job, _ workers: Workers<Job>) -> Job? {
        let (next, wasFull) = self.intake.withLock { intake in
            let wasFull = intake.lanes.count >= self.maximumTaken
            return (intake.lanes.ended(job.lane)?.job, wasFull)
        }
        if wasFull { workers.news.wake(for: 1) }
        return next
    }

    // MARK: Handling a call

    private func process(_ job: Job) async {
        switch job.work {
        case .answerAgain(let answer?): self.send(answer, to: job.call) { _ in self.acknowledge(job.call.message) }
        case .answerAgain(nil): self.acknowledge(job.call.message)
        case .handle(let method, let address, let key): await self.handle(job.call, method, address, key)
        }
    }

    private func handle(
        _ call: MQTTCall, _ method: MQTTMethod?, _ address: MQTTDialect.AnswerAddress?, _ key: MQTTDialect.RequestKey?
    ) async {
        guard !Task.isCancelled else { return self.giveUp(call, key) }
        // The caller of a call that waited too long has given up.
        guard self.isAwaited(call) else { return self.end(call, nil, key) }
        let handling: CallHandling
        if call.message.properties.userProperties.isEmpty {
            handling = await self.handling(of: call, method)
        } else {
            handling = await ServiceContext.withValue(self.engine.context(of: call.message)) {
                await self.handling(of: call, method)
            }
        }
        if Task.isCancelled, case .failure = handling.result {
            await handling.isOver()
            return self.giveUp(call, key)
        }
        guard let address, let answer = self.encode(handling.result, to: address), self.isAwaited(call) else {
            await handling.isOver()
            return self.end(call, nil, key)
        }
        let answered = OneShot<MQTTDialect.EncodedAnswer>()
        let goesOn = handling.goesOn
        self.send(answer, to: call) { sent in
            guard sent == .tooLarge, let smaller = self.encode(.failure(self.tooLarge), to: address) else {
                return goesOn ? answered.set(answer) : self.end(call, answer, key)
            }
            self.send(smaller, to: call) { _ in goesOn ? answered.set(smaller) : self.end(call, smaller, key) }
        }
        // A handler that ignores its cancellation goes on after the answer.
        guard goesOn else { return }
        await handling.isOver()
        self.end(call, await answered.waitRegardless(), key)
    }

    private var tooLarge: MQTTDeviceError {
        MQTTDeviceError(self.dialect.errorCodes.failed, "The result is larger than the broker accepts.")
    }

    /// Whether the caller still waits for the answer.
    private func isAwaited(_ call: MQTTCall) -> Bool { call.end.map { self.engine.clock.now() < $0 } ?? true }

    private func encode(
        _ result: CallHandling.Outcome, to address: MQTTDialect.AnswerAddress
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

    /// Runs the handler of a call, at most until the end of its time.
    private func handling(of call: MQTTCall, _ method: MQTTMethod?) async -> CallHandling {
        guard let method else { return CallHandling(self.withoutHandler(call)) }
        let own = method.timeLimit.map { self.engine.clock.now() + $0 }
        guard let end = [own, call.end].compactMap(\.self).min() else {
            return CallHandling(await self.result(of: call, method))
        }
        let code = self.dialect.errorCodes.timedOut
        return await CallHandling(
            until: end, by: self.engine.deadlines,
            orElse: {
                let limit = method.timeLimit.map { "\($0)" } ?? "the caller waits"
                return MQTTDeviceError(code, "\(method.name) took longer than \(limit).")
            }
        ) {
            await self.result(of: call, method)
        }
    }

    /// The answer to a call of a method without a handler.
    private func withoutHandler(_ call: MQTTCall) -> CallHandling.Outcome {
        if let listing = self.dialect.listing(self.methods.values.map(\.name)), listing.method == call.method {
            return .success(listing.answer)
        }
        return .failure(
            MQTTDeviceError(self.dialect.errorCodes.unknownMethod, "No handler for \(call.method)"))
    }

    private func result(of call: MQTTCall, _ method: MQTTMethod) async -> CallHandling.Outcome {
        let codes = self.dialect.errorCodes
        do {
            return .success(try await method.handle(call))
        } catch let error as MQTTDeviceError {
            return .failure(error)
        } catch let error as MQTTError where error.code == .decodingFailed {
            return .failure(MQTTDeviceError(codes.badParameters, error.message))
        } catch {
            let metadata: Logger.Metadata = ["method": "\(method.name)", "error": "\(error)"]
            self.engine.logger.debug("call failed", metadata: metadata)
            return .failure(MQTTDeviceError(codes.failed, "\(error)"))
        }
    }

    // MARK: The end of a call

    private enum Sent {
        case sent
        case failed
        /// The answer exceeds a limit of the broker.
        case tooLarge
    }

    /// Publishes an answer.
    ///
    /// - Parameter done: Called when the broker has the answer, or will not get it. Not awaited by a task, which would
    ///   be woken for it.
    private func send(
        _ answer: MQTTDialect.EncodedAnswer, to call: MQTTCall, _ done: @escaping @Sendable (Sent) -> Void
    ) {
        var properties = answer.properties
        if let end = call.end {
            let left = end - self.engine.clock.now()
            properties.messageExpiryInterval = UInt32(clamping: max(1, left.components.seconds))
        }
        do throws(MQTTError) {
            let message = try self.engine.makeMessage(
                answer.payload, answer.topic, self.dialect.qos, false, properties)
            // Within the limits of the outbox, because no task waits here while the broker does not read.
            let request = try self.engine.accept(message, isAwaited: false) { done(self.outcome(of: $0, answer)) }
            guard let request else { return done(.sent) }
            guard let limit = self.client.configuration.connection.acknowledgementTimeout else { return }
            self.engine.deadlines.schedule(after: limit) { [engine] in
                engine.giveUp(request) { wasQueued in .timedOut(wasQueued: wasQueued) }
            }
        } catch {
            done(self.failed(answer, error))
        }
    }

    private func outcome(of result: Waiters.Result, _ answer: MQTTDialect.EncodedAnswer) -> Sent {
        do throws(MQTTError) {
            _ = try self.engine.reasonCode(of: result)
            return .sent
        } catch {
            return self.failed(answer, error)
        }
    }

    private func failed(_ answer: MQTTDialect.EncodedAnswer, _ error: MQTTError) -> Sent {
        let metadata: Logger.Metadata = ["topic": "\(answer.topic)", "error": "\(error)"]
        self.engine.logger.warning("answer not sent", metadata: metadata)
        return error.code == .packetTooLarge ? .tooLarge : .failed
    }

    private func end(_ call: MQTTCall, _ answer: MQTTDialect.EncodedAnswer?, _ key: MQTTDialect.RequestKey?) {
        if let key {
            let now = self.engine.clock.now()
            let until = min(call.end ?? now + Self.memoryTime, now + Self.memoryTime)
            let bytes = (answer?.byteCount ?? 0) + key.byteCount
            let later = self.intake.withLock { $0.memory.ended(key, answer, bytes: bytes, until: until) }
            if let later { self.acknowledge(later) }
        }
        self.acknowledge(call.message)
        self.onEnded()
    }

    /// The server's task is cancelled: an unfinished call goes to the next server, of this client or of the next run.
    private func giveUp(_ call: MQTTCall, _ key: MQTTDialect.RequestKey?) {
        let later = key.flatMap { key in self.intake.withLock { $0.memory.gaveUp(key) } }
        self.engine.handBack(([call.message] + [later].compactMap(\.self)).filter { $0.token != nil })
    }

    private func acknowledge(_ message: MQTTMessage) {
        // Each delivery is acknowledged once, with the policy `.manual`, so this does not throw.
        try? self.subscription.acknowledge(message)
    }
}

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
    private let lanes: Mutex<RouteLanes<Job, String>>
    private let memory: Mutex<AnswerMemory<MQTTDialect.EncodedAnswer?, MQTTMessage>>
    /// The loop waits until fewer calls wait.
    private let changed = Condition()

    private struct Job: Sendable {
        let call: MQTTCall
        let method: MQTTMethod?
        let address: MQTTDialect.AnswerAddress?
        /// The request in the memory of answers; `nil` if nothing identifies it.
        let key: String?
    }

    /// How many calls are taken from the queue before they can be handled, to find methods that are not busy.
    private static let lookAhead = 64
    /// How long an answer is remembered if its request does not expire earlier.
    private static let memoryTime = Duration.seconds(300)

    init(
        _ device: String, _ dialect: MQTTDialect, _ methods: [MQTTMethod], _ subscription: MQTTSubscription,
        _ client: MQTTClient, concurrency: Int
    ) {
        self.device = device
        self.dialect = dialect
        self.subscription = subscription
        self.client = client
        let byName = Dictionary(methods.map { ($0.name, $0) }) { first, _ in first }
        self.methods = byName
        self.lanes = Mutex(RouteLanes(width: concurrency) { byName[$0]?.width ?? .max })
        self.memory = Mutex(AnswerMemory(limit: client.configuration.limits.rememberedAnswerBytes))
    }

    private var engine: ClientEngine { self.client.engine }

    func run(concurrency: Int) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            var iterator = self.subscription.makeAsyncIterator()
            while let message = try await iterator.next() {
                await self.changed.wait { self.lanes.withLock { $0.count >= concurrency + Self.lookAhead } }
                guard let job = await self.job(message) else { continue }
                guard self.lanes.withLock({ $0.add(job, key: job.call.method) }) == .run else { continue }
                group.addTask { await self.work(job) }
            }
        }
    }

    /// Decodes a request. Answers at once what needs no handler.
    private func job(_ message: MQTTMessage) async -> Job? {
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
        let key = request.answer?.key
        if let key {
            switch self.memory.withLock({ $0.begin(key, message, now: now) }) {
            case .new: break
            case .running: return nil
            case .answered(let answer):
                if let answer { await self.send(answer, to: call) }
                self.acknowledge(message)
                return nil
            }
        }
        return Job(call: call, method: self.methods[request.method], address: request.answer, key: key)
    }

    /// Handles a call, then those that wait for its place.
    private func work(_ first: Job) async {
        var current: Job? = first
        while let job = current {
            await self.process(job)
            current = self.lanes.withLock { $0.ended(job.call.method) }?.job
            self.changed.wakeAll()
        }
    }

    private func process(_ job: Job) async {
        let message = job.call.message
        guard !Task.isCancelled else { return self.giveUp(job) }
        // The caller of a call that waited too long has given up.
        guard job.call.end.map({ self.engine.clock.now() < $0 }) ?? true else { return self.end(job, nil) }
        let result: Result<any Encodable & Sendable, MQTTDeviceError>
        if message.properties.userProperties.isEmpty {
            result = await self.handle(job)
        } else {
            result = await ServiceContext.withValue(self.engine.context(of: message)) { await self.handle(job) }
        }
        if Task.isCancelled, case .failure = result { return self.giveUp(job) }
        var answer: MQTTDialect.EncodedAnswer?
        if let address = job.address { answer = self.encode(result, to: address) }
        if let answer, job.call.end.map({ self.engine.clock.now() < $0 }) ?? true {
            await self.send(answer, to: job.call)
            if Task.isCancelled { return self.giveUp(job) }
        }
        self.end(job, answer)
    }

    private func encode(
        _ result: Result<any Encodable & Sendable, MQTTDeviceError>, to address: MQTTDialect.AnswerAddress
    ) -> MQTTDialect.EncodedAnswer? {
        let coder = self.client.configuration.payloadCoder
        do {
            return try self.dialect.encode(result, to: address, coder: coder)
        } catch {
            self.engine.logger.warning("answer cannot be encoded", metadata: ["error": "\(error)"])
            let failure = MQTTDeviceError(self.dialect.errorCodes.failed, "The result cannot be encoded.")
            return try? self.dialect.encode(.failure(failure), to: address, coder: coder)
        }
    }

    // MARK: The handler

    private func handle(_ job: Job) async -> Result<any Encodable & Sendable, MQTTDeviceError> {
        let codes = self.dialect.errorCodes
        guard let method = job.method else {
            if let listing = self.dialect.listing(Array(self.methods.keys)), listing.method == job.call.method {
                return .success(listing.answer)
            }
            return .failure(MQTTDeviceError(codes.unknownMethod, "No handler for \(job.call.method)"))
        }
        do {
            return .success(try await self.limited(method, job.call))
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

    private func send(_ answer: MQTTDialect.EncodedAnswer, to call: MQTTCall) async {
        var properties = answer.properties
        if let end = call.end {
            let left = end - self.engine.clock.now()
            properties.messageExpiryInterval = UInt32(clamping: max(1, left.components.seconds))
        }
        do {
            try await self.client.publish(
                answer.payload, to: answer.topic, qos: self.dialect.qos, properties: properties)
        } catch {
            if Task.isCancelled { return }
            let metadata: Logger.Metadata = ["topic": "\(answer.topic)", "error": "\(error)"]
            self.engine.logger.warning("answer not sent", metadata: metadata)
        }
    }

    private func end(_ job: Job, _ answer: MQTTDialect.EncodedAnswer?) {
        if let key = job.key {
            let now = self.engine.clock.now()
            let until = min(job.call.end ?? now + Self.memoryTime, now + Self.memoryTime)
            let later = self.memory.withLock {
                $0.ended(key, answer, bytes: answer?.payload.readableBytes ?? 0, until: until)
            }
            for message in later { self.acknowledge(message) }
        }
        self.acknowledge(job.call.message)
    }

    /// The server's task is cancelled: an unfinished call goes to the next server, of this client or of the next run.
    private func giveUp(_ job: Job) {
        let later = job.key.map { key in self.memory.withLock { $0.gaveUp(key) } } ?? []
        self.engine.handBack(([job.call.message] + later).filter { $0.token != nil })
    }

    private func acknowledge(_ message: MQTTMessage) {
        // Each request is acknowledged once, with the policy `.manual`, so this does not throw.
        try? self.subscription.acknowledge(message)
    }
}

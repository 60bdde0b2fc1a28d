#if Tools
import Curlew
import CurlewCore
import CurlewTransport
import DequeModule
import NIOCore

/// What became of messages that were sent one after the other.
struct DeliveryTally {
    /// The broker has taken them; at QoS 0 they were sent.
    var delivered = 0
    /// The broker has refused them.
    var refused = 0
    /// They were sent, and nobody knows whether they arrived.
    var unknown = 0
    var notSent = 0
    /// Why the first of the others was not delivered.
    var firstError: MQTTError?

    var total: Int { self.delivered + self.failed }
    var failed: Int { self.refused + self.unknown + self.notSent }

    mutating func note(_ outcome: Result<ReasonCode, MQTTError>) {
        guard case .failure(let error) = outcome else {
            self.delivered += 1
            return
        }
        switch error.delivery {
        case _ where error.code == .publishRefused: self.refused += 1
        case .unknown: self.unknown += 1
        case .notSent, nil: self.notSent += 1
        }
        if self.firstError == nil || self.firstError?.code == .cancelled { self.firstError = error }
    }
}

/// Publishes one message after the other without waiting for each, but keeps no more than so many, and so many bytes,
/// unacknowledged: whoever has more to send waits for the oldest.
struct DeliveryWindow {
    /// How many may be under way or wait in the client's outbox.
    static let usualCount = 1000
    /// How many bytes these may have together; one message may have more.
    private static let maximumBytes = 4 << 20
    /// How long a cancelled task waits for what is under way: acknowledgements that are due arrive sooner.
    private static let grace = Duration.milliseconds(700)

    private let client: MQTTClient
    private let qos: QoS
    private let retain: Bool
    private let maximumCount: Int
    private var deliveries = Deque<Pending>()
    private var bytes = 0

    private(set) var tally = DeliveryTally()
    /// Whether the broker has left a message unanswered for as long as somebody waits: then nothing more is sent.
    private(set) var isUnanswered = false

    init(_ client: MQTTClient, qos: QoS, retain: Bool, limit: Int? = nil) {
        self.client = client
        self.qos = qos
        self.retain = retain
        self.maximumCount = limit ?? Self.usualCount
    }

    /// Sends a message, when there is room. Returns `false`, and has not sent it, if the task is cancelled before, or the broker
    /// has ceased to answer.
    mutating func send(
        _ payload: ByteBuffer, to topic: TopicName, properties: Properties = Properties()
    ) async -> Bool {
        let size = payload.readableBytes
        while self.deliveries.count >= self.maximumCount
            || !self.deliveries.isEmpty && self.bytes + size > Self.maximumBytes
        {
            guard await self.awaitOldest() else { return false }
        }
        self.checkOldest()
        guard !Task.isCancelled, !self.isUnanswered else { return false }
        do throws(MQTTError) {
            let delivery = try self.client.enqueue(
                payload, to: topic.string, qos: self.qos, retain: self.retain, properties: properties)
            self.deliveries.append(Pending(delivery, size: size))
            self.bytes += size
        } catch {
            self.note(.failure(error))
        }
        return true
    }

    /// Whoever sends a message once in a while never fills the window, and waits for none of them.
    private mutating func checkOldest() {
        guard let patience = self.client.configuration.connection.acknowledgementTimeout else { return }
        while let oldest = self.deliveries.first, oldest.since.duration(to: .now) > patience {
            guard let known = oldest.known else {
                // While the connection is lost, others decide how long to wait.
                self.isUnanswered = self.client.state == .connected
                return
            }
            self.pop(known)
        }
    }

    /// Waits until the broker has taken everything, or has said that it does not. A cancelled task waits for a moment.
    mutating func finish() async {
        while !self.deliveries.isEmpty {
            guard await self.awaitOldest() else { return await self.settle() }
        }
    }

    /// Returns `false` when the task is cancelled; the message stays in the window.
    private mutating func awaitOldest() async -> Bool {
        guard let oldest = self.deliveries.first else { return true }
        if let known = oldest.known {
            self.pop(known)
            return true
        }
        // Others may have been acknowledged by now; all share one patience.
        let wait = oldest.begin(timeout: self.isUnanswered ? .zero : nil)
        self.deliveries[0].wait = wait
        guard let outcome = await wait.outcome.wait() else { return false }
        self.pop(outcome)
        return true
    }

    private mutating func pop(_ outcome: Pending.Outcome) {
        self.bytes -= self.deliveries.removeFirst().size
        self.note(outcome)
    }

    private mutating func note(_ outcome: Pending.Outcome) {
        if case .failure(let error) = outcome, error.code == .timedOut { self.isUnanswered = true }
        self.tally.note(outcome)
    }

    /// Finds out what became of each message, in a task that is not cancelled before the grace is over.
    private mutating func settle() async {
        let waits = exchange(&self.deliveries, with: []).map { $0.begin(timeout: nil) }
        self.bytes = 0
        let timer = Task {
            try await Task.sleep(for: Self.grace)
            for wait in waits { wait.task.cancel() }
        }
        let outcomes = await Task { () -> [Pending.Outcome] in
            var outcomes: [Pending.Outcome] = []
            for wait in waits { if let outcome = await wait.outcome.waitRegardless() { outcomes.append(outcome) } }
            return outcomes
        }.value
        timer.cancel()
        for outcome in outcomes { self.note(outcome) }
    }
}

/// A message whose delivery nobody has asked about yet, or somebody waits for.
private struct Pending {
    typealias Outcome = Result<ReasonCode, MQTTError>

    /// A wait that goes on when the task that began it is cancelled: a cancelled one would take the message back.
    struct Wait: Sendable {
        let outcome: OneShot<Outcome>
        let task: Task<Void, Never>
    }

    private let delivery: PendingPublish
    let size: Int
    /// When it was handed to the client.
    let since = ContinuousClock.now
    var wait: Wait?

    init(_ delivery: PendingPublish, size: Int) {
        self.delivery = delivery
        self.size = size
    }

    /// What became of it, if that is known: of many, most are acknowledged by the time somebody asks.
    var known: Outcome? { self.wait.map { $0.outcome.value } ?? self.delivery.takeOutcome() }

    func begin(timeout: Duration?) -> Wait {
        if let wait { return wait }
        let outcome = OneShot<Outcome>()
        let task = Task { [delivery] in
            do { outcome.set(.success(try await delivery.outcome(timeout: timeout))) } catch {
                let error = MQTTError(of: error)
                outcome.set(.failure(error))
            }
        }
        return Wait(outcome: outcome, task: task)
    }
}
#endif

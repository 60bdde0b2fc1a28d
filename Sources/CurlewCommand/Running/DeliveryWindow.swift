#if Tools
import Curlew
import CurlewCore
import CurlewTransport
import DequeModule
import NIOCore

/// The outcomes of a series of messages.
struct DeliveryTally {
    /// Acknowledged by the broker; at QoS 0, sent.
    var delivered = 0
    /// Refused by the broker.
    var refused = 0
    /// Sent, with unknown outcome.
    var unknown = 0
    var notSent = 0
    /// Why the first message that was not delivered failed.
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

/// Publishes messages without waiting for each. The number and size of unacknowledged messages are limited: at the
/// limit, sending waits for the oldest one.
struct DeliveryWindow {
    /// The default limit on unacknowledged messages.
    static let usualCount = 1000
    /// The limit on their total size; a single message may be larger.
    private static let maximumBytes = 4 << 20
    /// How long a cancelled task waits for acknowledgements, which usually arrive sooner.
    private static let grace = Duration.milliseconds(700)

    private let client: MQTTClient
    private let qos: QoS
    private let retain: Bool
    private let maximumCount: Int
    private var deliveries = Deque<Pending>()
    private var bytes = 0

    private(set) var tally = DeliveryTally()
    /// Whether an acknowledgement has timed out. Then nothing more is sent.
    private(set) var isUnanswered = false

    init(_ client: MQTTClient, qos: QoS, retain: Bool, limit: Int? = nil) {
        self.client = client
        self.qos = qos
        self.retain = retain
        self.maximumCount = limit ?? Self.usualCount
    }

    /// Sends a message when there is room. Returns `false` without sending it if the task is cancelled, or if an
    /// acknowledgement has timed out.
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

    /// Notices an overdue acknowledgement even if messages are sent so rarely that `send` never waits.
    private mutating func checkOldest() {
        guard let patience = self.client.configuration.connection.acknowledgementTimeout else { return }
        while let oldest = self.deliveries.first, oldest.since.duration(to: .now) > patience {
            guard let known = oldest.known else {
                // While the connection is lost, the conversation decides how long to wait.
                self.isUnanswered = self.client.state == .connected
                return
            }
            self.pop(known)
        }
    }

    /// Waits until every message is acknowledged or refused. A cancelled task waits only briefly.
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
        // All messages share one time limit: after a timeout, the others are not waited for.
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

    /// Collects the outcome of each message, in a task that is cancelled only after the grace period.
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

/// A message whose outcome is not known yet.
private struct Pending {
    typealias Outcome = Result<ReasonCode, MQTTError>

    /// A wait in a task of its own. If the waiting task were cancelled, the client would withdraw the message.
    struct Wait: Sendable {
        let outcome: OneShot<Outcome>
        let task: Task<Void, Never>
    }

    private let delivery: PendingPublish
    let size: Int
    /// When it was passed to the client.
    let since = ContinuousClock.now
    var wait: Wait?

    init(_ delivery: PendingPublish, size: Int) {
        self.delivery = delivery
        self.size = size
    }

    /// The outcome, if it is known: most messages are acknowledged by the time they become the oldest.
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

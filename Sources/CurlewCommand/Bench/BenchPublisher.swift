#if Tools
import Curlew
import CurlewCore
import DequeModule
import NIOCore

/// Publishes with one client.
struct BenchPublisher {
    private let client: MQTTClient
    private let progress: Progress
    private let topics: [String]
    private let qos: QoS
    private let size: Int
    private let window: Int
    private let sender: UInt32
    /// The number of messages to publish.
    var count = Int.max
    private(set) var measurement = Measurement()
    /// Whether an acknowledgement has timed out.
    private var isUnanswered = false

    /// At full speed, one in this many messages is timed: reading the clock takes a tenth of the time of a message.
    private static let sampling = 16

    init(
        _ client: MQTTClient, _ progress: Progress, topics: [String], qos: QoS, size: Int, window: Int,
        sender: UInt32
    ) {
        self.client = client
        self.progress = progress
        self.topics = topics
        self.qos = qos
        self.size = size
        self.window = window
        self.sender = sender
    }

    // MARK: As fast as possible

    mutating func publish() async {
        if self.qos == .atMostOnce { await self.flood() } else { await self.publishInWindow() }
    }

    private mutating func flood() async {
        var payload = BenchPayload.buffer(size: self.size)
        var sequence = 0
        while sequence < self.count, !self.progress.isOver {
            let sentAt = self.stamp(&payload, sequence)
            do {
                try await self.client.publish(payload, to: self.topics[sequence % self.topics.count])
                self.done(sentAt)
            } catch {
                let error = MQTTError(of: error)
                guard self.mayGoOn(after: error) else { break }
            }
            sequence += 1
        }
        // Messages count when they have been sent.
        await self.client.disconnect()
    }

    private struct Pending {
        let delivery: PendingPublish
        let sentAt: ContinuousClock.Instant?
    }

    private mutating func publishInWindow() async {
        // A payload is reused after its message has been acknowledged, so that none is copied.
        var payloads = Array(repeating: ByteBuffer(), count: self.window)
        for index in payloads.indices { payloads[index] = BenchPayload.buffer(size: self.size) }
        var pending = Deque<Pending>(minimumCapacity: self.window)
        var sequence = 0
        while sequence < self.count, !self.progress.isOver {
            if pending.count == self.window, let first = pending.popFirst() {
                guard await self.settle(first) else { break }
            }
            let sentAt = self.stamp(&payloads[sequence % self.window], sequence)
            do throws(MQTTError) {
                let delivery = try self.client.enqueue(
                    payloads[sequence % self.window], to: self.topics[sequence % self.topics.count], qos: self.qos)
                pending.append(Pending(delivery: delivery, sentAt: sentAt))
            } catch {
                guard self.mayGoOn(after: error) else { break }
            }
            sequence += 1
        }
        while let next = pending.popFirst() { _ = await self.settle(next) }
    }

    /// The time limit for an acknowledgement: zero after one has timed out, since the waits would add up; `nil` for the
    /// default.
    private var timeout: Duration? { self.isUnanswered ? .zero : nil }

    /// Waits for an acknowledgement. Returns whether to continue.
    private mutating func settle(_ pending: Pending) async -> Bool {
        do {
            try await pending.delivery.outcome(timeout: self.timeout)
            self.done(pending.sentAt)
            return true
        } catch {
            let error = MQTTError(of: error)
            return self.mayGoOn(after: error)
        }
    }

    /// Writes sender and sequence number. Returns the time if the message is one of those that are timed.
    private func stamp(_ payload: inout ByteBuffer, _ sequence: Int) -> ContinuousClock.Instant? {
        let isTimed = sequence % Self.sampling == 0
        let time = isTimed ? ProcessUsage.wallNanoseconds : 0
        BenchPayload(sender: self.sender, sequence: UInt64(sequence), time: time).write(to: &payload)
        return isTimed ? .now : nil
    }

    private mutating func done(_ sentAt: ContinuousClock.Instant?) {
        self.measurement.count += 1
        self.measurement.bytes += self.size
        _ = self.progress.countOne()
        if let sentAt { self.progress.latencies.record(.now - sentAt) }
    }

    /// Counts a lost message. Returns whether to continue: not after a timeout, or without a connection.
    private mutating func mayGoOn(after error: MQTTError) -> Bool {
        self.measurement.lose(error)
        if error.code == .timedOut { self.isUnanswered = true }
        return !self.isUnanswered && error.code != .cancelled && self.client.state == .connected
    }

    // MARK: At a rate

    /// Publishes each message in a task of its own, so that a slow one does not delay the others. When the window is
    /// full, the next messages are late, which their latencies show.
    mutating func publish(_ pace: Pace) async {
        let publisher = self
        self.measurement = await withTaskGroup(of: Result<Void, MQTTError>.self) { group in
            var measurement = publisher.measurement
            var underWay = 0
            for sequence in 0..<publisher.count {
                if underWay == publisher.window, let outcome = await group.next() {
                    measurement.add(outcome, size: publisher.size)
                    underWay -= 1
                }
                guard (try? await pace.wait(for: sequence)) != nil, !publisher.progress.isOver else { break }
                guard publisher.client.state == .connected else {
                    // Fails with the reason why the connection was lost.
                    measurement.add(await publisher.publish(sequence, pace), size: publisher.size)
                    break
                }
                underWay += 1
                group.addTask(executorPreference: publisher.client.executor) {
                    await publisher.publish(sequence, pace)
                }
            }
            for await outcome in group { measurement.add(outcome, size: publisher.size) }
            return measurement
        }
    }

    private func publish(_ sequence: Int, _ pace: Pace) async -> Result<Void, MQTTError> {
        var payload = BenchPayload.buffer(size: self.size)
        BenchPayload(sender: self.sender, sequence: UInt64(sequence), time: pace.wallTime(of: sequence))
            .write(to: &payload)
        do {
            try await self.client.publish(payload, to: self.topics[sequence % self.topics.count], qos: self.qos)
            self.progress.latencies.record(.now - pace.instant(of: sequence))
            _ = self.progress.countOne()
            return .success(())
        } catch {
            let error = MQTTError(of: error)
            return .failure(error)
        }
    }
}

extension Measurement {
    fileprivate mutating func add(_ outcome: Result<Void, MQTTError>, size: Int) {
        switch outcome {
        case .success:
            self.count += 1
            self.bytes += size
        case .failure(let error): self.lose(error)
        }
    }
}
#endif

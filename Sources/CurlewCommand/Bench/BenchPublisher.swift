#if Tools
import Curlew
import CurlewCore
import DequeModule
import NIOCore

/// One client's publishing.
struct BenchPublisher {
    private let client: MQTTClient
    private let progress: Progress
    private let topics: [String]
    private let qos: QoS
    private let size: Int
    private let window: Int
    private let sender: UInt32
    /// How many to publish.
    var count = Int.max
    private(set) var measurement = Measurement()
    /// Whether the server has left a message unanswered for as long as somebody waits.
    private var isUnanswered = false

    /// One in so many is timed when all are sent as fast as possible: a look at the clock costs a tenth of a message.
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
        // What is on its way counts when it has left.
        await self.client.disconnect()
    }

    private struct Pending {
        let delivery: PendingPublish
        let sentAt: ContinuousClock.Instant?
    }

    private mutating func publishInWindow() async {
        // A payload is written again when its message has been acknowledged: so none is copied.
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

    /// How long to wait for an acknowledgement when one has not come already: they would add up. `nil`: as usual.
    private var timeout: Duration? { self.isUnanswered ? .zero : nil }

    /// Waits for an acknowledgement. Returns whether there is a point in going on.
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

    /// Writes its sender and a running number, and looks at the clock if it is one to be timed.
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

    /// One that the server does not take is lost, and others may follow; a client that has lost its connection takes none.
    private mutating func mayGoOn(after error: MQTTError) -> Bool {
        self.measurement.lose(error)
        if error.code == .timedOut { self.isUnanswered = true }
        return !self.isUnanswered && error.code != .cancelled && self.client.state == .connected
    }

    // MARK: At a rate

    /// Each message in a task of its own, so that one which takes long delays none; save that no more than the window
    /// are under way: then the next ones are late, and their latencies say so.
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
                    // Fails, and says why the connection is gone.
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

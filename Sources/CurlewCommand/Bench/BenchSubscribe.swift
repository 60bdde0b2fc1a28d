#if Tools
import ArgumentParser
import Curlew
import CurlewCore
import CurlewTransport

/// `curlew bench sub`
struct BenchSubscribe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sub",
        abstract: "Subscribe and count the messages.",
        discussion: """
            The time counts from the first message. Lost and reordered messages, and the latency, are known only for messages \
            of 'curlew bench pub'. With several clients, each has its own subscription.
            """)

    @OptionGroup var options: BenchOptions

    @Option(
        name: [.customShort("t"), .customLong("topic")], parsing: .unconditionalSingleValue,
        help: "Topic filter to subscribe to; a level with %d matches any. (default: curlew/bench/%d)")
    var topics: [String] = []

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            """
            With -n: stop when no message has arrived for this time, and report how many are missing. The time before the \
            first message is six times as long. (default: 5)
            """, valueName: "seconds"),
        transform: SecondsArgument.read)
    var idle: SecondsArgument?

    func run() async throws {
        let settings = try self.options.settings()
        let filter = try BenchTopics.filter(settings.topics + self.topics)
        try await BenchRun.run(
            self.options, settings, connections: self.options.clientCount,
            isEndless: self.options.count == nil && self.options.duration == nil, beginsByItself: true
        ) { run in
            let subscriptions = try await run.subscribe(to: filter, qos: self.options.qos)
            // For those who wait for it before they start a publisher.
            if !self.options.isJSON { Diagnostics.say("Subscribed to \(filter).") }
            return await run.receive(subscriptions, idle: self.idle?.duration ?? .seconds(5))
        }
    }
}

extension BenchRun {
    fileprivate func subscribe(to filter: TopicFilter, qos: QoS) async throws -> [MQTTSubscription] {
        var subscriptions: [MQTTSubscription] = []
        for client in self.clients {
            subscriptions.append(
                try await client.subscribe(to: filter.string, options: SubscriptionOptions(qos: qos)))
        }
        return subscriptions
    }

    fileprivate func receive(_ subscriptions: [MQTTSubscription], idle: Duration) async -> Measurement {
        let quiet = OneShot<ContinuousClock.Instant>()
        var measurement = await withTaskGroup(of: Measurement?.self) { group in
            if self.progress.limit != nil {
                group.addTask {
                    if let last = await self.progress.waitForQuiet(idle) { quiet.set(last) }
                    return nil
                }
            }
            group.addTask {
                await self.progress.waitForEnd()
                return nil
            }
            for (client, subscription) in zip(self.clients, subscriptions) {
                group.addTask(executorPreference: client.executor) {
                    await BenchReceiver.receive(subscription, self.progress)
                }
            }
            var whole = Measurement()
            for await part in group {
                if let part { whole.add(part) } else { group.cancelAll() }
            }
            return whole
        }
        guard let limit = self.progress.limit, let last = quiet.value else { return measurement }
        // The idle time at the end is not part of the run.
        measurement.end = last
        measurement.missing = max(0, limit - measurement.count)
        return measurement
    }
}

extension Progress {
    /// Waits until no message has arrived for this time, or for six times as long before the first one. Returns when
    /// the last message arrived; `nil` when the task is cancelled.
    fileprivate func waitForQuiet(_ idle: Duration) async -> ContinuousClock.Instant? {
        var (count, last) = (self.count, ContinuousClock.now)
        while true {
            let limit = count == 0 ? idle * 6 : idle
            do { try await Task.sleep(for: min(limit / 4, .milliseconds(250))) } catch { return nil }
            let now = ContinuousClock.now
            if self.count != count { (count, last) = (self.count, now) }
            if now - last >= limit { return last }
        }
    }
}

/// Receives and counts the messages of one client.
private enum BenchReceiver {
    static func receive(_ subscription: MQTTSubscription, _ progress: Progress) async -> Measurement {
        var measurement = Measurement()
        var senders = SequenceTracker()
        do {
            var iterator = subscription.makeAsyncIterator()
            while let message = try await iterator.next() {
                if measurement.count == 0 { progress.begin() }
                measurement.count += 1
                measurement.bytes += message.byteCount
                if let payload = message.withPayload({ BenchPayload($0) }) {
                    senders.received(payload.sequence, from: payload.sender)
                    if payload.time > 0 {
                        let now = ProcessUsage.wallNanoseconds
                        progress.latencies.record(
                            nanoseconds: Int64(truncatingIfNeeded: now &- payload.time))
                    }
                }
                guard progress.countOne(), !progress.isOver else { break }
            }
        } catch {
            let error = MQTTError(of: error)
            measurement.lose(error)
        }
        measurement.end = .now
        measurement.reordered = senders.reordered
        measurement.dropped = subscription.droppedCount
        measurement.lost += max(senders.lost, subscription.droppedCount)
        // If the client has stopped, the run is over.
        if !Task.isCancelled { progress.finish() }
        return measurement
    }
}
#endif

#if Tools
    import ArgumentParser
    import Curlew
    import CurlewCore

    /// `curlew bench sub`
    struct BenchSubscribe: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "sub",
            abstract: "Count the messages that come, from whoever sends them.",
            discussion: """
                The time counts from the first message. What was lost and what came out of order is told by the messages of \
                'curlew bench pub', and so is the latency, from when each was meant to be sent. With several clients, each has \
                a subscription of its own.
                """)

        @OptionGroup var options: BenchOptions

        @Option(
            name: [.customShort("t"), .customLong("topic")], parsing: .unconditionalSingleValue,
            help: "What to subscribe to; a level with %d stands for any. (default: curlew/bench/%d)")
        var topics: [String] = []

        func run() async throws {
            let settings = try self.options.settings()
            let filter = try BenchTopics.filter(self.topics, url: settings.topic)
            try await BenchRun.run(
                self.options, settings, connections: self.options.clientCount,
                isEndless: self.options.count == nil && self.options.duration == nil, beginsByItself: true
            ) { run in
                let subscriptions = try await run.subscribe(to: filter, qos: self.options.qos)
                // Told where others may be waiting for it.
                if !self.options.isJSON { Diagnostics.say("Listening to \(filter).") }
                return await run.receive(subscriptions)
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

        fileprivate func receive(_ subscriptions: [MQTTSubscription]) async -> Measurement {
            await withTaskGroup(of: Measurement?.self) { group in
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
        }
    }

    /// One client's receiving.
    private enum BenchReceiver {
        static func receive(_ subscription: MQTTSubscription, _ progress: Progress) async -> Measurement {
            var measurement = Measurement()
            var senders = SequenceTracker()
            do throws(MQTTError) {
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
                measurement.lose(error)
            }
            measurement.end = .now
            measurement.reordered = senders.reordered
            measurement.lost += max(senders.lost, subscription.droppedCount)
            // Where the client has stopped, nobody else would say so.
            if !Task.isCancelled { progress.finish() }
            return measurement
        }
    }
#endif
